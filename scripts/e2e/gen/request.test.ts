// Goal: gen chooses users and sizes of messages, and posts to other servers, as its options say.
// Method: the executable against comet with a flood, and against servers that record requests.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { FloodReport } from '../../../src/flood/flood-report.ts'
import { run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { genReport } from '../../support/reports.ts'

/** A message as some server got it. */
interface Got {
  readonly user: number
  readonly body: string
}

/** Publishes to a control port that keeps what it gets. */
async function gotFrom(...options: string[]): Promise<Got[]> {
  const got: Got[] = []
  using server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const lines = (await request.text()).split('\n')
      for (const line of lines) {
        const { subject, to, body } = JSON.parse(line) as Record<string, string>
        got.push({ user: Number(subject ?? to), body: String(body) })
      }
      return Response.json({ accepted: lines.length, delivered: lines.length })
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  const { exitCode } = await run(['gen', url, '--json', ...options])
  expect(exitCode).toBe(0)
  return got
}

function timesOf(got: readonly Got[], wanted: number): number {
  return got.filter(({ user }) => user === wanted).length
}

describe('users of gen', () => {
  test.each(['to', 'subject'])('addressed by %s are chosen by Zipf on request', async (address) => {
    const got = await gotFrom('--messages', '3000', '--address', address, '--subjects', 'zipf:1.1')
    expect(got).toHaveLength(3_000)
    // One in 6.6 among ten thousand, and one in 14, give or take four deviations.
    expect(timesOf(got, 1)).toBeWithin(390, 560)
    expect(timesOf(got, 2)).toBeWithin(160, 290)
  })

  test.each(['to', 'subject'])('addressed by %s come from a file on request', async (address) => {
    await using folder = await makeFolder()
    const path = `${folder.path}/ids.txt`
    await Bun.write(path, '# those who matter\n7\n\n123456\n')
    const got = await gotFrom(
      '--messages',
      '1000',
      '--address',
      address,
      '--subjects',
      `file:${path}`,
    )
    expect(new Set(got.map(({ user }) => user))).toEqual(new Set([7, 123_456]))
    await Bun.write(path, '7\nseven/2\n')
    const { exitCode, stderr } = await run(['gen', '--subjects', `file:${path}`])
    expect([exitCode, stderr]).toEqual([
      2,
      `comet gen: ${path}, line 2: this is neither a whole number from 1 to 2147483647 ` +
        'nor a name of up to 64 letters, digits and . _ : @ -\n',
    ])
  })

  test('are the same for a seed with any size of messages', async () => {
    const options = ['--messages', '50', '--seed', '9']
    const users = async (...more: string[]) =>
      (await gotFrom(...options, ...more)).map(({ user }) => user).toSorted((a, b) => a - b)
    expect(await users('--size', '50-100')).toEqual(await users())
  })
})

describe('messages of gen', () => {
  test('have the requested size, each with its stamp at the end', async () => {
    const got = await gotFrom('--messages', '2000', '--size', '100-103')
    const sizes = got.map(({ body }) => Buffer.byteLength(body))
    expect(new Set(sizes)).toEqual(new Set([100, 101, 102, 103]))
    for (const { body } of got) expect(body).toMatch(/^Fake message .* stamp=\d+\.\d+\.\d{16}$/)
  })

  test.each(['46', '64KiB'])(
    'of %s pass through comet, and a flood can tell them',
    async (size) => {
      await using server = await serve()
      const url = `${server.publicUrl}/test/{id}`
      await using flooding = start(['flood', url, '--connections', '10', '--json'])
      await server.open(10)
      const options = ['--size', size, '--rate', '100', '--users', '10', '--messages', '50']
      const generated = await run(['gen', server.controlUrl, ...options, '--json'])
      expect(genReport(generated).delivered).toBe(50)
      flooding.kill('SIGINT')
      const { received } = Value.Parse(FloodReport, JSON.parse((await flooding.finished).stdout))
      expect(received).toMatchObject({ messages: 50, duplicated: 0, reordered: 0, untracked: 0 })
    },
  )
})

describe('gen --post', () => {
  /** What a server got, and what gen says of it. */
  async function posted(answer: () => Response, ...options: string[]) {
    const got: (Got & { path: string })[] = []
    const underWay = new Set<string>()
    let overlaps = 0
    let underWayMax = 0
    using server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        const body = await request.text()
        const path = new URL(request.url).pathname
        const generator = /stamp=(\d+)/.exec(body)?.[1] ?? ''
        if (underWay.has(generator)) overlaps++
        underWay.add(generator)
        underWayMax = Math.max(underWayMax, underWay.size)
        got.push({ path, user: Number(path.split('/')[2]), body })
        // Long enough for the next messages of all to come due.
        await new Promise((resolve) => setTimeout(resolve, 10))
        underWay.delete(generator)
        return answer()
      },
    })
    const url = `http://127.0.0.1:${server.port}/pub/{id}`
    const finished = await run(['gen', '--post', url, '--json', ...options])
    return { got, overlaps, underWayMax, finished, report: genReport(finished) }
  }

  test('sends each message alone, in order, and one per publisher at a time', async () => {
    const answer = () => Response.json({ messages: 1, requested: 0, subscribers: 2 })
    const load = ['--rate', '200', '--messages', '200', '--users', '5']
    const options = [...load, '--generators', '6', '--publishers', '3']
    const { got, overlaps, underWayMax, finished, report } = await posted(answer, ...options)
    expect(finished.exitCode).toBe(0)
    expect(report).toMatchObject({ sent: 200, delivered: 400, unpromised: 0, unanswered: 0 })
    expect(new Set(got.map(({ path }) => path)).size).toBe(5)
    expect([overlaps, underWayMax]).toEqual([0, 3])
    const { first, count } = report.generators
    expect(count).toBe(6)
    for (let generator = first; generator < first + count; generator++) {
      const sequences = got.flatMap(({ body }) => {
        const [, of, sequence] = / stamp=(\d+)\.(\d+)\.\d+$/.exec(body) ?? []
        return Number(of) === generator ? [Number(sequence)] : []
      })
      expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, at) => at + 1))
      expect(sequences.length).toBeGreaterThan(30)
    }
  })

  test('counts messages without a number of deliveries', async () => {
    const { finished, report } = await posted(
      () => new Response('ok'),
      '--messages',
      '50',
      '--duration',
      '10s',
    )
    expect([finished.exitCode, report.sent]).toEqual([0, 50])
    expect([report.delivered, report.unpromised]).toEqual([0, 50])
  })

  test('counts refused messages by status, and exits with 1', async () => {
    const { finished, report } = await posted(
      () => new Response('', { status: 403 }),
      '--messages',
      '50',
    )
    expect(finished.exitCode).toBe(1)
    expect(Object.keys(report.errors)).toEqual(['status_403'])
    expect([report.sent, report.delivered]).toEqual([0, 0])
  })

  test('reports the shortfall of its rate', async () => {
    const answer = () => new Response('ok')
    const { finished, report } = await posted(
      answer,
      '--rate',
      '1k',
      '--publishers',
      '1',
      '--duration',
      '1s',
    )
    expect(report.perSecond).toBeLessThan(200)
    expect(finished.stderr).toContain('The rate was not kept')
    expect(finished.stderr).toContain('Increase --publishers and --generators')
  })
})
