// Why a message is not in the log, as its publisher is told.

import type { Failure } from '../core/errors.ts'
import type { PublishRefusal } from '../log/message-bus.ts'

const FAILURES: Readonly<Record<PublishRefusal, Failure>> = {
  full: {
    code: 'bus_unavailable',
    message:
      'The bus does not take messages as fast as they come, and no more may wait for it. It was ' +
      'not sent; send it again later.',
  },
  unavailable: {
    code: 'bus_unavailable',
    message:
      'The bus is not available, and it has waited as long as it may. It was not sent; send it ' +
      'again later.',
  },
  closed: { code: 'draining', message: 'The server is stopping; send it to another.' },
  unknown: {
    code: 'outcome_unknown',
    message:
      'The bus did not answer. It was sent, or not, or will be; with the same key it can be sent ' +
      'again, and goes out once.',
  },
  // Of changes of who follows whom, which have texts of their own.
  limit: { code: 'subscription_limit', message: 'A user follows the maximum number of others.' },
  conflict: {
    code: 'key_conflict',
    message:
      'This key was another message less than five minutes ago, of another receiver, event or body.',
  },
}

export function failureOf(why: PublishRefusal): Failure {
  return FAILURES[why]
}
