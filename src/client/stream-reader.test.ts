// Goal: a stream is read to its end, whatever that is and however its bytes come, and one that is
// silent for too long is taken for lost. Method: bodies made by hand.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readStream, SilenceLimit, type StreamLine } from './stream-reader.ts'

/** A body that goes on until it is cut. */
function endless(parts: readonly string[]) {
  let onCut = (): void => undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(Buffer.from(part))
      onCut = () => controller.error(new DOMException('cut', 'AbortError'))
    },
  })
  return { response: new Response(body), cut: () => onCut() }
}

/** What was read of a body that ends after these bytes. */
async function read(parts: readonly Uint8Array[], enough = Number.POSITIVE_INFINITY) {
  const taken: StreamLine[] = []
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(part)
      controller.close()
    },
  })
  const take = (line: StreamLine) => (taken.push(line) === enough ? 'enough' : 'more')
  const over = await readStream(new Response(body), take, new SilenceLimit(), () => undefined)
  return { over, texts: taken.map(({ text }) => text) }
}

describe('a stream', () => {
  const text = '{"id":"a"}\n\n{"id":"b","body":"ö"}\n{"end":"ended","note":"bye"}\n{"id":"c"}\n'

  test('is read alike however its bytes are parted, up to its end', async () => {
    const bytes = Buffer.from(text)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 5 }), async (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        const parts = places.slice(1).map((end, at) => bytes.subarray(places[at], end))
        const { over, texts } = await read(parts.filter(({ length }) => length > 0))
        expect(texts).toEqual(['{"id":"a"}', '{"id":"b","body":"ö"}'])
        expect(over).toEqual({ kind: 'ended', reason: 'ended', note: 'bye' })
      }),
    )
  })

  test('is over once there was enough, and what follows is not taken', async () => {
    const { over, texts } = await read([Buffer.from(text)], 1)
    expect([over.kind, texts]).toEqual(['enough', ['{"id":"a"}']])
  })

  test('that is closed without an end is lost, and so is a line that is not whole', async () => {
    const { over, texts } = await read([Buffer.from('{"id":"a"}\n{"id":"b"}')])
    expect([over, texts]).toEqual([{ kind: 'lost', why: 'it was closed' }, ['{"id":"a"}']])
  })
})

describe('a silent stream', () => {
  const read = async (parts: readonly string[], silence: SilenceLimit) => {
    const { response, cut } = endless(parts)
    const late = setTimeout(cut, 200)
    const over = await readStream(response, () => 'more', silence, cut)
    clearTimeout(late)
    return over
  }

  test('is lost once a heartbeat is missing', async () => {
    const over = await read(['{"id":"a"}\n', '\n'], new SilenceLimit(20))
    expect(over).toEqual({ kind: 'lost', why: 'it was silent' })
  })

  test('may be silent for ever if it has no heartbeats', async () => {
    const over = await read(['{"id":"a"}\n'], new SilenceLimit(20))
    expect(over).toEqual({ kind: 'lost', why: 'AbortError' })
  })

  test('may be silent for thrice as long as it was before a heartbeat', () => {
    const silence = new SilenceLimit(100)
    expect(silence.limitMs).toBeNull()
    silence.onHeartbeat(10)
    expect(silence.limitMs).toBe(100)
    silence.onHeartbeat(60)
    silence.onHeartbeat(50)
    expect(silence.limitMs).toBe(180)
  })
})
