// Goal: what a publisher sends reaches the streams or is refused by its number, and nothing else
// is disturbed. Method: a real router and store over sinks that remember, and bodies cut in parts.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { type Clock, systemClock } from '../core/clock.ts'
import { messageLimits } from '../core/limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { MarkingOutlet, messagesOf } from '../hub/outlet.fixture.ts'
import { FIRST_ID, routerOf } from '../hub/router.fixture.ts'
import { openStream, storeFor } from '../hub/stream.fixture.ts'
import { BatchReceipt, publishLines, publishOne, wholeBody } from './publish.ts'

const { bodyBytesMax, requestBytesMax, rejectedListedMax, sliceBytes, turnMsMax } = messageLimits

/** A router with user 7 connected twice and user 8 once. */
function connected() {
  const streams = storeFor()
  const router = routerOf(new MarkingOutlet(streams))
  const [seven, sevenAgain] = [openStream(streams, 7), openStream(streams, 7)]
  return { router, streams, seven, sevenAgain, eight: openStream(streams, 8) }
}

async function* body(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part
}

function bytes(of: string | Uint8Array): Uint8Array {
  return typeof of === 'string' ? Buffer.from(of) : of
}

function message(user: number, text: string): string {
  return JSON.stringify({ to: user, body: text })
}

const INVALID_UTF8 = Buffer.from([...Buffer.from('{"to":7,"body":"'), 0xff, 0xfe, 0x22, 0x7d])
const HALF_A_PAIR = '{"to":7,"body":"\\ud800"}'

describe('publishOne', () => {
  test('hands one message over and counts the connections', async () => {
    const { router, seven, sevenAgain, eight } = connected()
    expect(await publishOne(router, bytes(message(7, 'Hello')))).toEqual({
      ok: true,
      value: { delivered: 2, id: FIRST_ID },
    })
    expect([seven, sevenAgain, eight].map(messagesOf)).toEqual([['Hello'], ['Hello'], []])
  })

  test('takes a message in any parts, cut within a character too', async () => {
    const { router, seven } = connected()
    const sent = Buffer.from(message(7, '🙂é'))
    for (let cut = 0; cut <= sent.length; cut++) {
      const parts = body(sent.subarray(0, cut), sent.subarray(cut))
      await publishOne(router, await wholeBody(parts))
    }
    expect(messagesOf(seven)).toEqual(Array.from({ length: sent.length + 1 }, () => '🙂é'))
  })

  test.each([
    ['an empty body', '', 'invalid_json'],
    ['text', 'Hello', 'invalid_json'],
    ['two messages', `${message(7, 'a')}\n${message(7, 'b')}`, 'invalid_json'],
    ['a message without a receiver', '{"body":"x"}', 'invalid_message'],
    ['an empty message', message(7, ''), 'message_empty'],
    ['bytes that are not UTF-8', INVALID_UTF8, 'invalid_utf8'],
    ['half of a surrogate pair', HALF_A_PAIR, 'invalid_utf8'],
    ['a body of 65,537 bytes', message(7, 'a'.repeat(bodyBytesMax + 1)), 'message_too_large'],
  ])('refuses %s', async (_, sent, code) => {
    const { router, streams, seven } = connected()
    expect(await publishOne(router, bytes(sent))).toMatchObject({ ok: false, why: { code } })
    streams.flush()
    expect([messagesOf(seven), streams.open, router.accepted]).toEqual([[], 3, 0])
  })

  test.each([
    ['plain', message(7, 'a'.repeat(bodyBytesMax))],
    ['escaped to the utmost', `{"subject":7,"body":"${'\\u0000'.repeat(bodyBytesMax)}"}`],
  ])('takes a body of 65,536 bytes, %s', async (_, json) => {
    const { router, seven } = connected()
    expect(await publishOne(router, bytes(json))).toEqual({
      ok: true,
      value: { delivered: 2, id: FIRST_ID },
    })
    expect(messagesOf(seven).map(({ length }) => length)).toEqual([bodyBytesMax])
  })

  test('refuses what is longer than any message', async () => {
    const { router } = connected()
    const result = await publishOne(router, null)
    expect(result).toMatchObject({ ok: false, why: { code: 'request_too_large' } })
  })
})

describe('wholeBody', () => {
  test('of no body is empty', async () => {
    expect(await wholeBody(null)).toEqual(new Uint8Array(0))
  })

  test('stops reading what is longer than any message', async () => {
    let parts = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        parts++
        yield new Uint8Array(64 * 1024).fill(0x20)
      }
    }
    expect(await wholeBody(endless())).toBeNull()
    expect(parts).toBe(Math.ceil(requestBytesMax / (64 * 1024)))
  })
})

describe('publishLines', () => {
  test('sends every line in order and adds the deliveries up', async () => {
    const { router, seven, eight } = connected()
    const lines = [message(7, 'a'), message(8, 'b'), message(7, 'c'), message(9, 'nobody')]
    expect(await publishLines(router, body(lines.join('\n')), systemClock)).toEqual({
      accepted: 4,
      delivered: 5,
      id: '019ad3f0c2a1-000000000004',
      rejected: [],
      rejectedCount: 0,
    })
    expect([seven, eight].map(messagesOf)).toEqual([['a', 'c'], ['b']])
  })

  test('refuses bad lines by their numbers, and the others go out', async () => {
    const { router, seven } = connected()
    const lines = [message(7, 'a'), 'nonsense', INVALID_UTF8, '', '  \t\r', HALF_A_PAIR]
    lines.push(message(7, ''), message(7, 'z'))
    const receipt = await publishLines(
      router,
      body(...lines.flatMap((line) => [line, '\n'])),
      systemClock,
    )
    expect(receipt).toMatchObject({ accepted: 2, delivered: 4, rejectedCount: 4 })
    expect(receipt.rejected.map(({ line, error }) => [line, error.code])).toEqual([
      [2, 'invalid_json'],
      [3, 'invalid_utf8'],
      [6, 'invalid_utf8'],
      [7, 'message_empty'],
    ])
    expect(messagesOf(seven)).toEqual(['a', 'z'])
  })

  test.each([
    ['no body', null],
    ['an empty body', body()],
    ['blank lines alone', body('\n \r\n\t\n')],
  ])('answers %s with an empty receipt', async (_, sent) => {
    const receipt = { accepted: 0, delivered: 0, rejected: [], rejectedCount: 0 }
    expect(await publishLines(connected().router, sent, systemClock)).toEqual(receipt)
  })

  test('sends a line as soon as it is whole, before the request is over', async () => {
    const { router, streams, seven } = connected()
    const seen: number[] = []
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (let line = 0; line < 3; line++) {
        // The turn of the line before is over.
        await new Promise(setImmediate)
        seen.push(messagesOf(seven).length)
        yield Buffer.from(`${message(7, 'x')}\n`)
      }
      throw new Error('the publisher is gone')
    }
    await expect(publishLines(router, slowly(), systemClock)).rejects.toThrow(
      'the publisher is gone',
    )
    streams.flush()
    expect([seen, messagesOf(seven).length]).toEqual([[0, 1, 2], 3])
  })

  test('takes a body of 65,536 bytes and refuses one of 65,537', async () => {
    const { router, seven } = connected()
    const lines = [bodyBytesMax, bodyBytesMax + 1].map((bytes) => message(7, 'a'.repeat(bytes)))
    const receipt = await publishLines(router, body(lines.join('\n')), systemClock)
    expect(receipt.rejected.map(({ line, error }) => [line, error.code])).toEqual([
      [2, 'message_too_large'],
    ])
    expect(messagesOf(seven).map(({ length }) => length)).toEqual([bodyBytesMax])
  })

  test('refuses a line that is longer than any message, and goes on behind it', async () => {
    const { router, seven } = connected()
    const long = new Uint8Array(requestBytesMax + 1).fill(0x20)
    const receipt = await publishLines(router, body(long, '\n', message(7, 'next')), systemClock)
    expect(receipt.rejected.map(({ line, error }) => [line, error.code])).toEqual([
      [1, 'request_too_large'],
    ])
    expect(messagesOf(seven)).toEqual(['next'])
  })

  test('names the first thousand bad lines and counts them all', async () => {
    const { router } = connected()
    const receipt = await publishLines(
      router,
      body('bad\n'.repeat(rejectedListedMax + 500)),
      systemClock,
    )
    expect(receipt.rejectedCount).toBe(rejectedListedMax + 500)
    expect(receipt.rejected.map(({ line }) => line)).toEqual(
      Array.from({ length: rejectedListedMax }, (_, at) => at + 1),
    )
    expect(Value.Check(BatchReceipt, receipt)).toBe(true)
  })

  test('answers for every line of any mixture', async () => {
    const good = fc.string({ unit: 'binary', minLength: 1 }).map((text) => message(7, text))
    const bad = fc.constantFrom('bad', '{}', '[]', message(7, ''), HALF_A_PAIR)
    const blank = fc.constantFrom('', ' ', '\r')
    const lines = fc.array(fc.oneof(good, bad, blank))
    await fc.assert(
      fc.asyncProperty(lines, async (sent) => {
        const { router, seven } = connected()
        const receipt = await publishLines(router, body(`${sent.join('\n')}\n`), systemClock)
        const filled = sent.filter((line) => line.trim() !== '')
        expect(receipt.accepted + receipt.rejectedCount).toBe(filled.length)
        expect(receipt.delivered).toBe(2 * receipt.accepted)
        expect(messagesOf(seven).length).toBe(receipt.accepted)
        expect(receipt.rejected.every(({ line }) => filled.includes(sent[line - 1] ?? ''))).toBe(
          true,
        )
      }),
    )
  })
})

/** Advances by a millisecond each time that it is read. */
function tickingClock(): Clock {
  const clock = new FakeClock()
  return {
    nowMs: () => clock.nowMs(),
    elapsedMs: () => {
      clock.advance(1)
      return clock.elapsedMs()
    },
  }
}

describe('a long batch', () => {
  const texts = Array.from({ length: 5_000 }, (_, at) => String(at))
  const lines = Buffer.from(texts.map((text) => message(7, text)).join('\n'))

  /** Publishes the lines, and tells how many were out at each turn that others had meanwhile. */
  async function turnsOf(clock: Clock, ...parts: Uint8Array[]) {
    const { router, seven } = connected()
    const seen: number[] = []
    let over = false
    const look = () => {
      if (over) return
      seen.push(messagesOf(seven).length)
      setImmediate(look)
    }
    setImmediate(look)
    const receipt = await publishLines(router, body(...parts), clock)
    over = true
    return { receipt, seven, outAt: [...new Set(seen)].filter((out) => out > 0) }
  }

  test('leaves the loop to others whenever its turn is over, and keeps its order', async () => {
    const { receipt, seven, outAt } = await turnsOf(tickingClock(), lines)
    // The clock is looked at once a slice.
    const turns = Math.floor(Math.ceil(lines.length / sliceBytes) / turnMsMax)
    expect(turns).toBeGreaterThan(3)
    expect(outAt).toHaveLength(turns)
    expect(Math.max(...outAt)).toBeLessThan(texts.length)
    expect(receipt).toMatchObject({ accepted: texts.length, rejectedCount: 0 })
    expect(messagesOf(seven)).toEqual(texts)
  })

  test('does so however small its parts are', async () => {
    const parts = Array.from({ length: 50 }, (_, at) => lines.subarray(at * 1000, at * 1000 + 1000))
    const { outAt } = await turnsOf(tickingClock(), ...parts)
    // Behind the last part there is nothing to give a turn for.
    expect(outAt).toHaveLength(parts.length / turnMsMax - 1)
  })

  test('keeps the loop while its turn is not over', async () => {
    const { receipt, outAt } = await turnsOf(new FakeClock(), lines)
    expect([receipt.accepted, outAt]).toEqual([texts.length, []])
  })

  test('lets messages of others pass', async () => {
    const { router, seven } = connected()
    setImmediate(() => publishOne(router, bytes(message(7, 'urgent'))))
    await publishLines(router, body(lines), tickingClock())
    expect(messagesOf(seven).indexOf('urgent')).toBeWithin(1, texts.length)
    expect(messagesOf(seven).filter((text) => text !== 'urgent')).toEqual(texts)
  })
})
