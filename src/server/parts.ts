// What a server is put together from, once its start has found everything out. Plain data and nothing
// that does anything.

import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { Capacity } from '../http/capacity.ts'
import type { OnBug } from '../http/elysia.ts'
import type { StreamRules } from '../hub/rules.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import type { ServerConfig } from './config.ts'

/** What the whole server is given, whichever way its streams are held. */
export interface Surroundings {
  readonly log: Log
  readonly clock: Clock
  /** How to start this program again as a worker. */
  readonly workerCommand: readonly string[]
}

/** Everything that the start has found out. */
export interface Parts extends Surroundings {
  readonly config: ServerConfig
  readonly filesLimit: number
  readonly capacity: Capacity
  readonly workers: number
  /** What holds for streams at first. */
  readonly rules: StreamRules
  readonly subscriptions: Subscriptions
  readonly onBug: OnBug
}
