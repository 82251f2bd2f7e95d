// Goal: the newest lines of the log are kept, as many and as long as the limits say, and a reader
// gets each once, across a restart as well. Method: lines by hand, and a log that writes nowhere.

import { describe, expect, test } from 'bun:test'
import { Log } from './log.ts'
import { type LogLine, RecentLog } from './recent-log.ts'
import { recentLogLimits } from './recent-log-limits.ts'
import { FakeClock } from './time.fixture.ts'

const { linesMax, messageLengthMax, fieldLengthMax, fieldsMax } = recentLogLimits

function lineOf(message: string, fields: LogLine['fields'] = {}): LogLine {
  return { timeMs: 1, level: 'info', event: 'test', message, fields }
}

function filled(count: number, clock = new FakeClock()): RecentLog {
  const recent = new RecentLog(clock)
  for (let at = 1; at <= count; at++) recent.add(lineOf(`line ${at}`))
  return recent
}

const messagesOf = (recent: RecentLog, id: number, count: number = linesMax) =>
  recent.after(id, count).lines.map(({ message }) => message)

describe('a reader of the recent lines', () => {
  test('gets all of them at first, oldest first, and later only new ones', () => {
    const recent = filled(2)
    const { last, missed } = recent.after(0, linesMax)
    expect([messagesOf(recent, 0), missed]).toEqual([['line 1', 'line 2'], 0])
    expect(recent.after(last, linesMax)).toEqual({ lines: [], last, missed: 0 })
    recent.add(lineOf('line 3'))
    expect(messagesOf(recent, last)).toEqual(['line 3'])
  })

  test('gets the newest if there are more than it wants, and how many it missed', () => {
    const recent = filled(5)
    expect(messagesOf(recent, 0, 2)).toEqual(['line 4', 'line 5'])
    expect(recent.after(0, 2).missed).toBe(3)
  })

  test('of lines that have given way gets how many they are', () => {
    const recent = filled(linesMax + 7)
    const { lines, missed } = recent.after(0, linesMax)
    expect([lines.length, lines[0]?.message, missed]).toEqual([linesMax, 'line 8', 7])
  })

  test('that had lines of a server before this one gets all of this one', () => {
    const clock = new FakeClock()
    const { last } = filled(40, clock).after(0, linesMax)
    clock.advance(60_000)
    expect(messagesOf(filled(2, clock), last)).toEqual(['line 1', 'line 2'])
  })
})

describe('a line', () => {
  test('is cut where it is very long', () => {
    const recent = new RecentLog(new FakeClock())
    const many = Object.fromEntries(
      Array.from({ length: fieldsMax + 1 }, (_, at) => [`f${at}`, at]),
    )
    recent.add(lineOf('x'.repeat(messageLengthMax + 1), { ...many, f0: 'y'.repeat(1_000) }))
    const { message = '', fields = {} } = recent.after(0, 1).lines[0] ?? {}
    expect([message.length, message.at(-1)]).toEqual([messageLengthMax, '…'])
    expect(Object.keys(fields)).toHaveLength(fieldsMax)
    expect(String(fields['f0'])).toBe(`${'y'.repeat(fieldLengthMax - 1)}…`)
  })

  test('of a log is kept even if it cannot be written', () => {
    const clock = new FakeClock()
    const log = new Log({ format: 'text', clock, write: () => false })
    log.warn('full', 'The disk is full.', { bytes: 0 })
    expect(log.recent.after(0, 9).lines).toMatchObject([
      { timeMs: clock.nowMs(), level: 'warn', event: 'full', message: 'The disk is full.' },
    ])
    expect(log.dropped).toBe(1)
  })
})
