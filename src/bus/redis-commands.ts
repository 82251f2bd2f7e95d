// Commands to the Redis that servers share, besides those of the log.

import type { Failure } from '../core/errors.ts'
import type { Result } from '../core/result.ts'
import type { Argument, RedisFailure } from './redis-connection.ts'

export interface RedisCommands {
  /** Fails at once while Redis is away. */
  send(command: string, args: readonly Argument[]): Promise<Result<unknown, RedisFailure>>
}

/** What a client of the control port is told. */
export function commandFailure({ kind, text }: RedisFailure): Failure {
  return kind === 'lost'
    ? {
        code: 'outcome_unknown',
        message: 'Redis, which the servers share, was lost meanwhile: it was done, or not.',
      }
    : { code: 'bus_unavailable', message: `Redis, which the servers share, refuses it: ${text}` }
}

/** While there is no connection. */
export const AWAY: Result<never, RedisFailure> = {
  ok: false,
  why: { kind: 'error', text: 'it is not connected.' },
}
