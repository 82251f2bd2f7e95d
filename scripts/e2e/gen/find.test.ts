// Goal: gen --find-rate finds the highest rate that holds its objectives, and shows the search.
// Method: the executable against itself, and against servers that hold up to a rate.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import type { Socket } from 'bun'
import { FindReport } from '../../../src/gen/find-rate.ts'
import type { Finished } from '../../support/child-process.ts'
import { freePort, run, serve, start } from '../../support/comet.ts'
import { chunk } from '../../support/raw-client.ts'

function findReport({ stdout }: Finished): FindReport {
  return Value.Parse(FindReport, JSON.parse(stdout))
}

/** A server that takes posts at one port and hands them to the streams of another. */
class PushServer implements Disposable {
  /** For how long the posts of a run are held back, by how many there were before. */
  holdMs: (before: number) => number = () => 0
  /** Whether the answer tells how many streams a message goes to. */
  promises = true
  readonly #sockets = new Map<number, Socket<undefined>>()
  readonly #runs = new Map<number, number>()
  readonly #posts = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => this.#post(new URL(request.url).pathname, await request.text()),
  })
  readonly #streams = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data: (socket, bytes) => {
        const user = Number(/^GET \/sub\/(\d+) /.exec(bytes.toString())?.[1])
        this.#sockets.set(user, socket)
        socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('Welcome')}`)
      },
    },
  })

  /** The options that name its two ports. */
  get options(): string[] {
    const [post, streams] = [this.#posts.port, this.#streams.port]
    const streamsUrl = `http://127.0.0.1:${streams}/sub/{id}`
    return ['--post', `http://127.0.0.1:${post}/pub/{id}`, '--streams', streamsUrl]
  }

  [Symbol.dispose](): void {
    this.#posts.stop(true)
    this.#streams.stop(true)
  }

  #post(path: string, text: string): Response {
    // The generators of a run have numbers of their own.
    const run = Math.floor(Number(/stamp=(\d+)/.exec(text)?.[1]) / 65_536)
    const before = this.#runs.get(run) ?? 0
    this.#runs.set(run, before + 1)
    const holdMs = this.holdMs(before)
    const socket = this.#sockets.get(Number(path.split('/')[2]))
    const hand = () => socket?.write(chunk(text))
    if (holdMs === 0) hand()
    else if (holdMs < Number.POSITIVE_INFINITY) setTimeout(hand, holdMs)
    return this.promises ? Response.json({ subscribers: 1 }) : new Response('ok')
  }
}

describe('gen --find-rate', () => {
  test('raises the rate until messages are late, and narrows down', async () => {
    using server = new PushServer()
    // 190 a second is the most that have gone in 200 ms before one is late.
    server.holdMs = (before) => (before < 38 ? 0 : 700)
    const finished = await run([
      ...['gen', '--find-rate', '--slo', 'p99<500ms,lost=0,duplicated=0', ...server.options],
      ...['--users', '20', '--rate', '100', '--duration', '200ms', '--json'],
    ])
    const { highest, objectives, attempts } = findReport(finished)
    expect([finished.exitCode, highest]).toEqual([0, 183])
    expect(objectives).toEqual(['p99<500ms', 'lost=0', 'duplicated=0'])
    const tried = attempts.map(({ rate, held }) => `${rate} ${held ? 'held' : 'failed'}`)
    expect(tried).toEqual([
      ...['100 held', '200 failed', '200 failed', '141 held'],
      ...['168 held', '183 held', '191 failed', '191 failed'],
    ])
    const [first, second] = attempts
    expect(first?.metrics).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, unanswered: 0 })
    expect(second?.why).toMatch(/^p99 is \d+ ms, not <500ms$/)
    expect(second?.metrics.p99Ms ?? 0).toBeGreaterThan(699)
    // A line for each attempt, and nothing else.
    expect(finished.stderr.trim().split('\n')).toHaveLength(attempts.length)
    expect(finished.stderr).toContain('183 messages a second: held, p99 ')
  })

  test('shows a table, and exits with 1 if no rate holds', async () => {
    using server = new PushServer()
    server.holdMs = () => Number.POSITIVE_INFINITY
    server.promises = false
    const finished = await run([
      ...['gen', '--find-rate', ...server.options, '--users', '3'],
      ...['--rate', '1', '--duration', '200ms'],
    ])
    expect(finished.exitCode).toBe(1)
    const lines = finished.stdout.trim().split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatch(/^messages\/s +held +sent\/s +p50 /)
    // Each user has a stream, so that the message was to arrive, though it was not promised.
    expect(lines[1]).toMatch(/^ +1 +no +5 +– .* 1$/)
    expect(lines[3]).toBe('No rate held p99<100ms, lost=0.')
  })

  test('ends at once if no message is accepted, or there are no streams', async () => {
    await using server = await serve()
    const closed = `http://127.0.0.1:${freePort()}`
    const common = ['--find-rate', '--users', '5', '--duration', '500ms', '--json']
    const streams = `${server.publicUrl}/test/{id}`
    const unheard = await run(['gen', closed, '--streams', streams, ...common])
    expect([unheard.exitCode, findReport(unheard).attempts.length]).toEqual([1, 1])
    const alone = ['gen', server.controlUrl, '--streams', `${closed}/test/{id}`, ...common]
    const unseen = await run(alone)
    expect([unseen.exitCode, findReport(unseen).attempts]).toEqual([1, []])
    expect(unseen.stderr).toContain('5 of 5 did not open (refused 5)')
  })

  test('ends at a signal with the highest rate so far', async () => {
    await using server = await serve()
    await using finding = start([
      ...['gen', server.controlUrl, '--find-rate', '--rate', '100', '--duration', '500ms'],
      ...['--streams', `${server.publicUrl}/test/{id}`, '--users', '10', '--address', 'to'],
      ...['--slo', 'p99<1s,lost=0,reordered=0', '--json'],
    ])
    await finding.logged('200 messages a second: held')
    finding.kill('SIGINT')
    const finished = await finding.finished
    expect(finished.exitCode).toBe(0)
    const { highest, attempts } = findReport(finished)
    expect([highest, attempts.at(-1)?.rate]).toEqual([200, 200])
    await server.open(0)
  })
})
