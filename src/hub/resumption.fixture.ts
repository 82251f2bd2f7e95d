// Where streams begin in a log of tests.

import { LocalBus } from '../log/local-bus.ts'
import type { MessageLog } from '../log/message-log.ts'
import { ArrayLog } from './array-log.fixture.ts'
import { Resumption } from './resumption.ts'

const UNHEARD = { onItem: () => undefined, onGap: () => undefined }
const NONE = new Uint32Array(0)

/** @param follows the subjects of each user who follows some */
export function resumptionOf(
  log: MessageLog = new ArrayLog(),
  follows: Readonly<Record<number, readonly number[]>> = {},
): Resumption {
  const subjectsOf = (user: number) => {
    const subjects = follows[user]
    return subjects === undefined ? NONE : Uint32Array.from(subjects)
  }
  return new Resumption({ bus: new LocalBus(log, UNHEARD), subscriptions: { subjectsOf } })
}
