// What a worker reports of its streams, as its parent reads it, for tests.

import { systemClock } from '../core/clock.ts'
import { Presence } from './presence.ts'
import { TO_PARENT } from './protocol.ts'
import type { RecordBytes } from './records.ts'
import { WorkerConnections } from './worker-connections.ts'

export type Reported = ['opened' | 'closed', user: number, reason?: string]

/** Takes the records of one worker; throws for a stream that leaves before it came. */
export class ReportedStreams {
  /** In order. */
  readonly told: Reported[] = []
  readonly #connections = new WorkerConnections({
    ...{ workers: 1, presence: new Presence(1), clock: systemClock },
    feed: {
      opened: ({ user }) => this.told.push(['opened', user]),
      closed: ({ user }, reason) => this.told.push(['closed', user, reason]),
    },
  })

  onRecord({ kind, view }: Pick<RecordBytes, 'kind' | 'view'>): void {
    if (kind === TO_PARENT.opened) this.#connections.onAllOpened(0, view)
    else if (kind === TO_PARENT.closed) this.#connections.onAllClosed(0, view)
    else throw new Error(`a record of kind ${kind} is none of streams`)
  }

  /** The users of streams that were opened, or closed, in order. */
  usersOf(what: Reported[0]): number[] {
    return this.told.flatMap(([told, user]) => (told === what ? user : []))
  }
}
