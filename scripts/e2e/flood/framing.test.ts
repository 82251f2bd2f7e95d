// Goal: flood reads the streams of servers that are not comet, whatever their framing, and finds
// what came twice or out of order. Method: the executable against Node's own servers, fed by gen
// --post.

import { describe, expect, test } from 'bun:test'
import { stampedText } from '../../../src/core/stamp.ts'
import { run, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { NODE, type NodeServer, startNodeServer } from '../../support/node.ts'
import { floodReport, genReport } from '../../support/reports.ts'

// A machine that only builds may have no Node.
const withNode = test.skipIf(NODE === null)

const STREAMS = 30

/** By its name: the address, and the option if the response's type does not tell. */
const KINDS: Record<string, (server: NodeServer) => string[]> = {
  'chunks, by the response': ({ url }) => [`${url}/chunk/{id}`],
  'lines in parts of chunks': ({ url }) => [`${url}/line/{id}`, '--framing', 'line'],
  'lines of JSON, by their type': ({ url }) => [`${url}/json/{id}`],
  'events with comments, ids and several lines of data, by their type': ({ url }) => [
    `${url}/sse/{id}`,
  ],
  'events, as asked': ({ url }) => [`${url}/sse/{id}`, '--framing', 'sse'],
  'lines of HTTP/1.0 until the close': ({ oldUrl }) => [`${oldUrl}/any/{id}`],
}

describe('against Node, flood receives what gen --post is promised', () => {
  withNode.each(Object.keys(KINDS))('as %s', async (kind) => {
    await using folder = await makeFolder()
    await using server = await startNodeServer()
    const expected = `${folder.path}/gen.json`
    await using flooding = start([
      ...['flood', ...(KINDS[kind]?.(server) ?? []), '--connections', String(STREAMS)],
      ...['--expect', expected, '--json'],
    ])
    await server.streams(STREAMS)
    const generated = await run([
      ...['gen', '--post', `${server.url}/pub/{id}`, '--users', String(STREAMS)],
      ...['--rate', '300', '--messages', '150', '--json'],
    ])
    expect([generated.exitCode, genReport(generated).delivered]).toEqual([0, 150])
    await Bun.write(expected, generated.stdout)
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    const { received, latency, comparison, errors } = floodReport(flooded)
    expect(received).toMatchObject({ chunks: 150, messages: 150, untracked: 0 })
    expect(received).toMatchObject({ duplicated: 0, reordered: 0 })
    expect(received.bytes).toBeGreaterThan(150 * 'Fake message stamp='.length)
    expect(comparison).toEqual({ promised: 150, lost: 0, unexpected: 0, examples: [] })
    expect(latency.p50Ms ?? 0).toBeWithin(0.001, 2_000)
    expect(latency.maxMs ?? 0).toBeWithin(latency.p50Ms ?? 0, 5_000)
    expect([flooded.exitCode, errors]).toEqual([0, {}])
  })
})

/** The parts of a lines' body that a chunk holds are messages where chunks are asked for. */
withNode('--framing outdoes the type of the response', async () => {
  await using server = await startNodeServer()
  const options = ['--framing', 'chunk', '--connections', '1', '--json']
  await using flooding = start(['flood', `${server.url}/line/{id}`, ...options])
  await server.streams(1)
  for (let each = 0; each < 5; each++) await server.publish(1, 'a text of some length')
  flooding.kill('SIGINT')
  expect(floodReport(await flooding.finished).received).toMatchObject({ chunks: 10, messages: 0 })
})

describe('what came twice or out of order', () => {
  const stamp = (generator: number, sequence: number) => ({
    ...{ generator, sequence },
    dueMicros: Date.now() * 1000,
  })

  const wrongOnes = [
    { wrong: 'duplicated', id: 102, generator: 77, sequence: 2 },
    { wrong: 'reordered', id: 103, generator: 88, sequence: 5 },
  ]

  /** What flood finished with, after one message came twice and two came in the wrong order. */
  async function flooded(path: string, ...options: string[]) {
    await using server = await startNodeServer()
    const url = `${server.url}/${path}/{id}`
    const streams = ['--connections', '3', '--first-id', '101']
    await using flooding = start(['flood', url, ...streams, ...options])
    await server.streams(3)
    const send = async (user: number, generator: number, sequences: readonly number[]) => {
      for (const sequence of sequences) {
        const text = stampedText(sequence, stamp(generator, sequence))
        expect(await server.publish(user, text)).toBe(1)
      }
    }
    await send(101, 77, [1, 3, 4])
    await send(102, 77, [1, 2, 2, 5])
    await send(103, 88, [4, 6, 5, 7])
    flooding.kill('SIGINT')
    return await flooding.finished
  }

  withNode.each(['chunk', 'sse', 'json'])('is counted and named, of %s', async (path) => {
    const finished = await flooded(path, '--json')
    const { received, examples } = floodReport(finished)
    expect(received).toMatchObject({ messages: 11, duplicated: 1, reordered: 1, untracked: 0 })
    expect(examples).toEqual(wrongOnes as typeof examples)
    expect(finished.exitCode).toBe(1)
  })

  withNode('is named in the summary', async () => {
    const { exitCode, stdout } = await flooded('chunk')
    expect(exitCode).toBe(1)
    expect(stdout).toContain('1 duplicated, 1 out of order')
    expect(stdout).toContain('twice     message 2 of generator 77 on the stream of 102')
    expect(stdout).toContain('too late  message 5 of generator 88 on the stream of 103')
  })
})

describe('all that came is counted', () => {
  /** Sends a head and pieces, each on its own. */
  function sending(head: string, pieces: readonly string[]) {
    return Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open: (socket) => void socket.setNoDelay(true),
        data: async (socket) => {
          for (const piece of [`${head}\r\n\r\n`, ...pieces]) {
            socket.write(Buffer.from(piece, 'latin1'))
            // Long enough for it to be read by itself.
            await Bun.sleep(100)
          }
        },
      },
    })
  }

  test.each([
    ['of HTTP/1.0 until the close', 'HTTP/1.0 200 OK', ['hello', 'world!'], 2, 11],
    ['of lines of HTTP/1.0', 'HTTP/1.0 200 OK', ['one\ntwo', '\nthree\n'], 3, 11],
    [
      'of events behind a byte-order mark',
      'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream',
      ['\xef\xbb', '\xbfdata: 1\n\n', 'data: 2\n\n'],
      2,
      16,
    ],
  ])('%s', async (_what, head, pieces, chunks, bytes) => {
    using server = sending(head, pieces)
    const options = ['--connections', '1', '--hold', '1s', '--json']
    const flooded = await run(['flood', `http://127.0.0.1:${server.port}/{id}`, ...options])
    expect(flooded.exitCode).toBe(0)
    expect(floodReport(flooded).received).toMatchObject({ chunks, bytes })
  })
})
