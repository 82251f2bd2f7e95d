// How tabs of one origin share a connection: the one that holds a lock has it, and tells the others
// by a channel what it receives. A tab that goes, or crashes, loses the lock, and the next one goes
// on at its own cursor. No SharedWorker: Chrome on Android has none, it would be another file, and
// no function that gets tokens can be sent to it.

import { TAB_ANSWER_MS } from './limits.ts'
import { page } from './page.ts'

export interface TabsOwner<Said> {
  /** This tab is to hold the connection. */
  onLead(): void
  /** Another tab took the connection over, which thought that this one was gone. */
  onFollow(): void
  onSaid(said: Said): void
  /** What a tab that has just come is told by the one with the connection. */
  greeting(): Said
  /** Milliseconds of silence after which a tab asks whether the one with the connection is there. */
  readonly silenceMs: number
}

const HELLO = 'hello'

export class Tabs<Said> {
  isLeading = false
  readonly #name: string
  readonly #owner: TabsOwner<Said>
  readonly #channel: BroadcastChannel
  /** Lets go of the lock, or of the request for it; another one for each time that it joins. */
  #release: (() => void) | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(name: string, owner: TabsOwner<Said>) {
    this.#name = name
    this.#owner = owner
    this.#channel = new BroadcastChannel(name)
    this.#channel.onmessage = ({ data }) => {
      if (data === HELLO) {
        if (this.isLeading) this.say(owner.greeting())
      } else if (this.#release) {
        this.#waitFor(() => this.hello(), owner.silenceMs)
        owner.onSaid(data)
      }
    }
  }

  say(said: Said | typeof HELLO): void {
    this.#channel.postMessage(said)
  }

  /** Waits for the lock, or takes it from a tab that does not answer. */
  join(steal = false): void {
    this.leave()
    const request = new AbortController()
    const release = () => request.abort()
    this.#release = release
    page.navigator?.locks
      ?.request(this.#name, steal ? { steal } : { signal: request.signal }, () => {
        if (release !== this.#release) return
        this.isLeading = true
        clearTimeout(this.#timer)
        this.#owner.onLead()
        return new Promise<void>((resolve) => {
          request.signal.onabort = () => resolve()
        })
      })
      .catch(() => {
        if (release !== this.#release) return
        this.join()
        this.#owner.onFollow()
      })
    this.hello()
  }

  /** Asks whether there is a tab with the connection; one that sleeps does not answer. */
  hello(): void {
    if (this.isLeading) return
    this.say(HELLO)
    this.#waitFor(() => this.join(true), TAB_ANSWER_MS)
  }

  #waitFor(then: () => void, ms: number): void {
    clearTimeout(this.#timer)
    if (!this.isLeading) this.#timer = setTimeout(then, ms)
  }

  leave(): void {
    clearTimeout(this.#timer)
    this.isLeading = false
    this.#release?.()
    this.#release = undefined
  }

  close(): void {
    this.leave()
    this.#channel.close()
  }
}
