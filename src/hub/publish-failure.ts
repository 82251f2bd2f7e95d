// The failure that a publisher gets when its message is not added to the log.

import type { Failure } from '../core/errors.ts'
import type { PublishRefusal } from '../log/message-bus.ts'

const FAILURES: Readonly<Record<PublishRefusal, Failure>> = {
  full: {
    code: 'bus_unavailable',
    message: 'The queue to Redis is full. The message was not sent; send it again later.',
  },
  unavailable: {
    code: 'bus_unavailable',
    message:
      'Redis is not available, and the message waited for the time limit. It was not sent; send ' +
      'it again later.',
  },
  closed: { code: 'draining', message: 'The server is stopping; send it to another.' },
  unknown: {
    code: 'outcome_unknown',
    message:
      'Redis did not answer, so the message may be sent or not. With a key it can be sent again, ' +
      'and goes out once.',
  },
  // Of follow changes only, whose routes have texts of their own.
  limit: { code: 'subscription_limit', message: 'A user follows the maximum number of others.' },
  conflict: {
    code: 'key_conflict',
    message: 'This key was used less than five minutes ago for another receiver, event or body.',
  },
}

/** The failure of the request that published. */
export function failureOf(why: PublishRefusal): Failure {
  return FAILURES[why]
}
