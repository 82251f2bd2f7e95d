// One way in for messages, with the figures that are its own. It has a router to itself, which is how
// messages are told apart by where they came in, without a word about it in the router.

import type { Router } from './router.ts'

export type InputName = 'http' | 'erlang'

export class Input {
  readonly name: InputName
  readonly router: Router
  /** Messages and lines refused. */
  rejected = 0

  constructor(name: InputName, router: Router) {
    this.name = name
    this.router = router
  }

  /** Counts what was refused; a function of its own, for those who are only to tell. */
  readonly onRejected = (count: number): void => {
    this.rejected += count
  }
}
