// Goal: a body is read as it comes, and no longer waited for than it may take.
// Method: requests made of streams, with a timeout of a few milliseconds.

import { describe, expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { messageLimits } from '../core/limits.ts'
import { requestSource, Upload } from './upload.ts'

const PATIENT = { bodyTimeoutMs: 1_000 }
const HASTY = { bodyTimeoutMs: 20 }
const NEVER = new Promise<never>(() => undefined)

/** A body of these parts, and then nothing for ever if it `hangs`. */
function sourceOf(
  parts: readonly string[],
  { hangs = false, length = '', signal = new AbortController().signal } = {},
) {
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      for (const part of parts) controller.enqueue(Buffer.from(part))
      if (hangs) await NEVER
      controller.close()
    },
  })
  const headers: Record<string, string> = length === '' ? {} : { 'content-length': length }
  const init = { method: 'POST', body, headers, signal }
  return requestSource(new Request('http://localhost/', init))
}

async function textOf(upload: Upload): Promise<string> {
  let text = ''
  for await (const part of upload) text += Buffer.from(part).toString()
  return text
}

describe('a body', () => {
  test('is handed over part by part', async () => {
    const upload = new Upload(sourceOf(['one ', 'two']), PATIENT, systemClock)
    expect([await textOf(upload), upload.isLate, upload.isGone]).toEqual(['one two', false, false])
  })

  test('has the length that its request says', () => {
    const declared = ['3', ''].map(
      (length) => new Upload(sourceOf([], { length }), PATIENT, systemClock).declared,
    )
    expect(declared).toEqual([3, null])
  })

  test('is late when nothing more comes, and what came before is there', async () => {
    const upload = new Upload(sourceOf(['one\n'], { hangs: true }), HASTY, systemClock)
    expect([await textOf(upload), upload.isLate]).toEqual(['one\n', true])
  })

  test('is not taken from a client that is gone', async () => {
    const gone = new AbortController()
    const upload = new Upload(sourceOf(['one'], { signal: gone.signal }), PATIENT, systemClock)
    const text = textOf(upload)
    gone.abort()
    expect([await text, upload.isGone]).toEqual(['', true])
  })

  test('of dribbled bytes that are no line is late though each comes in time', async () => {
    let now = 0
    const clock = { ...systemClock, elapsedMs: () => now }
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        now += 600
        controller.enqueue(Buffer.from('x'))
      },
    })
    const request = new Request('http://localhost/', { method: 'POST', body })
    const upload = new Upload(requestSource(request), PATIENT, clock)
    const text = await textOf(upload)
    expect(upload.isLate).toBe(true)
    expect(text.length).toBeLessThan(messageLimits.sliceBytes)
  })
})
