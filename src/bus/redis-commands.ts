// Commands to the Redis that nodes share, besides those of the log.

import type { Failure } from '../core/errors.ts'
import { type Result, refused } from '../core/result.ts'
import type { Argument, RedisFailure } from './redis-connection.ts'

export interface RedisCommands {
  /** Fails at once without a connection. */
  send(command: string, args: readonly Argument[]): Promise<Result<unknown, RedisFailure>>
}

/** The failure of a command without a connection. */
export const AWAY = refused<RedisFailure>({ kind: 'error', text: 'It is not connected.' })

/** The failure for a client of the control port. */
export function commandFailure(failure: RedisFailure): Failure {
  if (failure.kind === 'lost') {
    return {
      code: 'outcome_unknown',
      message:
        'Redis, which the nodes share, did not answer: the change may have been made or not. Send it again.',
    }
  }
  const why = failure === AWAY.why ? 'is not connected' : `refuses it (${failure.text})`
  return {
    code: 'bus_unavailable',
    message: `Redis, which the nodes share, ${why}; nothing has changed. Send it again later.`,
  }
}
