// A log whose entries follow from their numbers, so that any part of it can be checked; and a
// process that adds to one as fast as it can until it is killed. Arguments: path, bytes of the
// window. It prints the number of the last entry now and then, a line each.

import { writeSync } from 'node:fs'
import { about, NAMELESS, to, toEveryone, user } from './log.fixture.ts'
import type { LogMessage, MessageLog } from './message-log.ts'
import { openLog } from './open-log.ts'

const STDOUT = 1
const TARGETS = 20
const PRINTED_EVERY = 200
const LENGTH_MAX = 300

/** The message with a number; null if it is a change of who follows whom. */
export function messageOf(number: number): LogMessage | null {
  const target = 1 + (number % TARGETS)
  const length = 1 + ((number * 7_919) % (number % 97 === 0 ? 5_000 : LENGTH_MAX))
  const text = `${number},`.repeat(Math.ceil(length / 3)).slice(0, length)
  const event = number % 5 === 0 ? `event-${number}` : null
  switch (number % 7) {
    case 0:
      return null
    case 1:
      return to(target, text, { event })
    case 2:
      return toEveryone(text)
    default:
      return about(target, text, { event, key: number % 3 === 0 ? `key ${number}` : null })
  }
}

export function addNext(log: MessageLog): number {
  const number = log.last + 1
  const message = messageOf(number)
  if (message !== null) return log.append(message)
  const target = 1 + (number % TARGETS)
  // Each user ceases to follow what it began to before.
  return log.appendFollow(user(target), user(1_000 + target), Math.floor(number / 140) % 2 === 0)
}

if (import.meta.main) {
  const [path = '', bytes = ''] = process.argv.slice(2)
  const { log } = openLog({ ...NAMELESS, path, bytes: Number(bytes) })
  for (;;) {
    // Not through a stream, which would still have lines in memory when the process is killed.
    writeSync(STDOUT, `${log.last}\n`)
    for (let at = 0; at < PRINTED_EVERY; at++) addNext(log)
  }
}
