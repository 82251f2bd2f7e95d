// Commands to the Redis that servers share, besides those of the log.

import type { Failure } from '../core/errors.ts'
import { type Result, refused } from '../core/result.ts'
import type { Argument, RedisFailure } from './redis-connection.ts'

export interface RedisCommands {
  /** Fails at once while Redis is away. */
  send(command: string, args: readonly Argument[]): Promise<Result<unknown, RedisFailure>>
}

/** While there is no connection. */
export const AWAY = refused<RedisFailure>({ kind: 'error', text: 'It is not connected.' })

/** What a client of the control port is told. */
export function commandFailure(failure: RedisFailure): Failure {
  if (failure.kind === 'lost') {
    return {
      code: 'outcome_unknown',
      message: 'Redis, which the nodes share, was lost meanwhile: it was done, or not.',
    }
  }
  const why = failure === AWAY.why ? 'is not connected' : `refuses it (${failure.text})`
  return {
    code: 'bus_unavailable',
    message: `Redis, which the nodes share, ${why}; nothing has changed. Send it again later.`,
  }
}
