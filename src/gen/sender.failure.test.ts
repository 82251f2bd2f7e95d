// Goal: a run survives a server that fails, ends if there is none, and stops on request.
// Method: real runs against a publish function that fails on request.

import { describe, expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { shareRate } from '../core/pacer.ts'
import { refused, success } from '../core/result.ts'
import { until } from '../core/time.fixture.ts'
import { genLimits } from '../core/tool-limits.ts'
import { oneTo, RecordingPublish, start } from './sender.fixture.ts'

const { failuresAtStartMax, retryMs, retryMsMax } = genLimits

describe('a failed request', () => {
  test('is counted by kind, and its messages are not sent again', async () => {
    const to = new RecordingPublish()
    let batches = 0
    to.answer = (lines) =>
      batches++ % 2 === 0 ? refused('reset') : success({ accepted: lines.length - 1, delivered: 5 })
    const options = { schedules: shareRate(1000, 1), batchMax: 10, messagesMax: 40 }
    const tally = await start(to, { ...options, durationMs: 500 }).finished
    const failed = to.batches.filter((_, at) => at % 2 === 0)
    const answered = to.batches.filter((_, at) => at % 2 === 1)
    expect(to.sequencesOf(100)).toEqual(oneTo(40))
    expect(tally).toMatchObject({
      sent: answered.flat().length,
      rejected: answered.length,
      delivered: 5 * answered.length,
      unanswered: failed.flat().length,
      errors: { reset: failed.length },
    })
  })

  test('from the start on ends the run, after increasing delays', async () => {
    const to = new RecordingPublish()
    const atMs: number[] = []
    to.answer = () => {
      atMs.push(systemClock.elapsedMs())
      return refused('refused')
    }
    const tally = await start(to, { publishers: 1, durationMs: 60_000 }).finished
    const endedMs = systemClock.elapsedMs()
    expect(tally).toMatchObject({ sent: 0, errors: { refused: failuresAtStartMax } })
    expect(tally.unanswered).toBe(to.sent.length)
    // Only what came due until then was asked for.
    expect(tally.plannedSeconds).toBe(tally.seconds)
    for (const [at, ms] of atMs.slice(1).entries()) {
      // A timer may be early by the fraction of a millisecond.
      expect(ms - (atMs[at] ?? 0)).toBeGreaterThan(Math.min(retryMsMax, retryMs * 2 ** at) - 1)
    }
    // After the last there is nothing to wait for; another wait would be more than this.
    expect(endedMs - (atMs.at(-1) ?? 0)).toBeLessThan(250)
  })

  test('from the start on ends a run of several publishers at once', async () => {
    const to = new RecordingPublish()
    to.answer = () => refused('refused')
    const muchLater = { firstMs: 50_000, intervalMs: 60_000 }
    const options = { schedules: [...shareRate(1000, 2), muchLater], durationMs: 60_000 }
    const tally = await start(to, { ...options, publishers: 3 }).finished
    expect(tally.sent).toBe(0)
    // Those that were under way when the last one failed are counted, too.
    expect(tally.errors['refused']).toBeWithin(failuresAtStartMax, failuresAtStartMax + 3)
    expect(to.sequencesOf(102)).toEqual([])
  })

  test('after an answered one does not end the run', async () => {
    const to = new RecordingPublish()
    let left: number = failuresAtStartMax
    to.answer = (lines) =>
      to.batches.length > 1 && left-- > 0
        ? refused('refused')
        : success({ accepted: lines.length, delivered: 0 })
    const gen = start(to, { publishers: 1, durationMs: 60_000 })
    await until('the server is back', () => left < 0)
    gen.stop()
    const tally = await gen.finished
    expect(tally.errors).toEqual({ refused: failuresAtStartMax })
    expect(tally.sent + tally.unanswered).toBe(to.sent.length)
  })
})

describe('a stopped run', () => {
  test('sends nothing more, and waits for requests under way', async () => {
    const to = new RecordingPublish()
    const gen = start(to, { durationMs: 60_000 })
    await until('something was sent', () => to.batches.length > 0)
    gen.stop()
    const begun = to.sent.length
    const tally = await gen.finished
    expect([to.sent.length, tally.sent]).toEqual([begun, begun])
    // Only what came due until then was asked for.
    expect(tally.plannedSeconds).toBe(tally.seconds)
    expect(tally.scheduled).toBe(Math.ceil(1000 * tally.seconds))
  })

  test('does not wait for the next message to come due', async () => {
    const gen = start(new RecordingPublish(), {
      schedules: [{ firstMs: 50_000, intervalMs: 60_000 }],
      durationMs: 60_000,
    })
    gen.stop()
    expect(await gen.finished).toMatchObject({ sent: 0, scheduled: 0 })
  })

  test('does not wait for the delay after a failure', async () => {
    const to = new RecordingPublish()
    to.answer = (lines) =>
      to.batches.length > 1 ? refused('refused') : success({ accepted: lines.length, delivered: 0 })
    const gen = start(to, { publishers: 1, durationMs: 60_000 })
    // The next try would be at least 320 ms away.
    await until('the fifth try failed', () => gen.tally.errors['refused'] === 5)
    const stoppedMs = systemClock.elapsedMs()
    gen.stop()
    await gen.finished
    expect(systemClock.elapsedMs() - stoppedMs).toBeLessThan(250)
    expect(to.batches).toHaveLength(6)
  })
})
