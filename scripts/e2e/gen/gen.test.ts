// Goal: gen keeps its rate or reports the shortfall, keeps the order, and reports what was
// promised.
// Method: the executable against itself and against servers that are slow or break the rules.

import { describe, expect, test } from 'bun:test'
import { freePort, run, serve } from '../../support/comet.ts'
import { genReport } from '../../support/reports.ts'

describe('gen', () => {
  test('sends a rate from several generators, each with one request under way', async () => {
    const underWay = new Set<string>()
    const sequences = new Map<string, number[]>()
    let overlaps = 0
    using server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        const body = await request.text()
        const stamps = [...body.matchAll(/stamp=(\d+)\.(\d+)\./g)]
        const generators = new Set(stamps.map(([, generator = '']) => generator))
        for (const generator of generators) {
          if (underWay.has(generator)) overlaps++
          underWay.add(generator)
        }
        for (const [, generator = '', sequence] of stamps) {
          sequences.set(generator, [...(sequences.get(generator) ?? []), Number(sequence)])
        }
        // Long enough for the next messages of all to come due.
        await new Promise((resolve) => setTimeout(resolve, 30))
        for (const generator of generators) underWay.delete(generator)
        return Response.json({ accepted: stamps.length, delivered: stamps.length })
      },
    })
    const options = ['--rate', '300', '--generators', '6', '--duration', '1s', '--json']
    const generated = await run(['gen', `http://127.0.0.1:${server.port}`, ...options])
    expect([generated.exitCode, genReport(generated).sent]).toEqual([0, 300])
    const inOrder = Array.from({ length: 50 }, (_, at) => at + 1)
    expect([...sequences.values()]).toEqual(Array.from({ length: 6 }, () => inOrder))
    expect(overlaps).toBe(0)
  })

  test('reports the shortfall of a rate that cannot be kept', async () => {
    await using server = await serve()
    const generated = await run([
      'gen',
      server.controlUrl,
      ...['--rate', '50k', '--batch', '1', '--publishers', '1', '--duration', '500ms', '--json'],
    ])
    const report = genReport(generated)
    expect(report.perSecond).toBeLessThan(report.wantedPerSecond)
    expect(generated.stderr).toContain('The rate was not kept')
  })
})

describe('gen exits with 1 and counts failures by kind for', () => {
  const gen = (port: number) =>
    run(['gen', `http://127.0.0.1:${port}`, '--rate', '100', '--duration', '200ms', '--json'])

  test.each([
    ['a 404', () => new Response('', { status: 404 }), 'status_404'],
    ['something else', () => Response.json({ hello: 1 }), 'not_a_comet_server'],
    ['no JSON', () => new Response('hello'), 'not_a_comet_server'],
  ])('%s', async (_what, fetch, kind) => {
    using server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
    const generated = await gen(Number(server.port))
    expect(generated.exitCode).toBe(1)
    const report = genReport(generated)
    expect(Object.keys(report.errors)).toEqual([kind])
    expect([report.sent, report.delivered]).toEqual([0, 0])
    expect(report.unanswered).toBeGreaterThan(0)
  })

  test('a connection that is refused', async () => {
    const generated = await gen(freePort())
    expect(generated.exitCode).toBe(1)
    expect(Object.keys(genReport(generated).errors)).toEqual(['refused'])
    expect(generated.stderr).toStartWith('comet gen: nothing listens at http://127.0.0.1:')
    expect(generated.stderr).not.toMatch(/^ +at /m)
  })
})
