// Messages and readers for tests of the log, a folder for its file, and all that a log tells.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { FakeClock } from '../core/time.fixture.ts'
import type { NamedUser } from '../core/user.ts'
import type { LogMessage, LogReader, MessageLog } from './message-log.ts'
import { type OpenedLog, type OpenLogOptions, openLog } from './open-log.ts'

/** Of a log of numbers alone. */
export const NAMELESS = { intern: () => null, nameOf: String }

const PLAIN = { event: null, isJson: false, name: null, key: null } as const

export function about(target: number, text: string, other: Partial<LogMessage> = {}): LogMessage {
  return { ...PLAIN, bytes: Buffer.from(text), isAbout: true, target, ...other }
}

export function to(target: number, text: string, other: Partial<LogMessage> = {}): LogMessage {
  return { ...about(target, text, other), isAbout: false }
}

export function toEveryone(text: string): LogMessage {
  return to(0, text)
}

export function user(id: number, name: string | null = null): NamedUser {
  return { id, name }
}

export function reader(
  id: number,
  follows: readonly number[] = [],
  subjects: readonly number[] = [],
): LogReader {
  return { user: id, follows: Uint32Array.from(follows), subjects }
}

/** The bodies of what a reader has missed; or why there is a gap. */
export function missed(log: MessageLog, of: LogReader, after: number): string[] | string {
  const found = log.missedBy(of, after)
  return 'gap' in found ? found.gap : bodies(log, found.numbers)
}

export function bodies(log: MessageLog, numbers: readonly number[]): string[] {
  return numbers.map((number) => Buffer.from(log.read(number).bytes).toString())
}

/** Where a log may have its file. */
export class LogFolder implements Disposable {
  readonly folder = mkdtempSync(`${tmpdir()}/comet-log-`)
  readonly path = `${this.folder}/comet.db-log`
  readonly clock = new FakeClock()

  open(options: Partial<OpenLogOptions> = {}): OpenedLog {
    return openLog({
      path: this.path,
      bytes: 4_096,
      ...NAMELESS,
      clock: this.clock,
      bootId: 'a start of the machine',
      ...options,
    })
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Two logs are the same if this is. Changes of who follows whom show by what readers missed. */
export function allOf(log: MessageLog, users: readonly number[], follows: readonly number[]) {
  const readers = users.map((id) => reader(id, follows))
  const cursors = Array.from({ length: log.last - log.oldest + 2 }, (_, at) => log.oldest - 1 + at)
  return {
    epoch: log.epoch,
    oldest: log.oldest,
    last: log.last,
    missed: readers.map((one) => cursors.map((after) => missed(log, one, after))),
    newest: readers.map((one) => bodies(log, log.newestFor(one, 1_000))),
    keyed: [...log.keyedSince(0)],
  }
}
