// Goal: gen posts to other servers at its rate, or reports the shortfall, and the outcome of each
// message.
// Method: the executable against Node's own server.

import { describe, expect, test } from 'bun:test'
import { run, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { NODE, startNodeServer } from '../../support/node.ts'
import { floodReport, genReport } from '../../support/reports.ts'

// A machine that only builds may have no Node.
const withNode = test.skipIf(NODE === null)

describe('gen --post to Node', () => {
  withNode('keeps its rate within 1 %, or reports that it did not', async () => {
    await using server = await startNodeServer()
    const generated = await run([
      ...['gen', '--post', `${server.url}/pub/{id}`, '--rate', '500', '--duration', '1s', '--json'],
    ])
    expect(generated.exitCode).toBe(0)
    const { sent, perSecond, wantedPerSecond, delivered, unpromised } = genReport(generated)
    expect([sent, delivered, unpromised, wantedPerSecond]).toEqual([500, 0, 0, 500])
    // No server listens, which Node reports for each message.
    const kept = perSecond >= 0.99 * wantedPerSecond
    expect(generated.stderr === '').toBe(kept)
    expect(perSecond).toBeWithin(400, 505)
  })

  withNode('sends messages of a size to the ids of a file, and all arrive', async () => {
    await using folder = await makeFolder()
    await using server = await startNodeServer()
    const [ids, expected] = [`${folder.path}/ids.txt`, `${folder.path}/gen.json`]
    await Bun.write(ids, '3\n5\n')
    const options = ['--connections', '5', '--expect', expected, '--json']
    await using flooding = start(['flood', `${server.url}/sse/{id}`, ...options])
    await server.streams(5)
    const generated = await run([
      ...['gen', '--post', `${server.url}/pub/{id}`, '--subjects', `file:${ids}`],
      ...['--size', '2000', '--rate', '1k', '--messages', '200', '--publishers', '8', '--json'],
    ])
    expect(genReport(generated)).toMatchObject({ sent: 200, delivered: 200, rejected: 0 })
    await Bun.write(expected, generated.stdout)
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(0)
    const { received } = floodReport(flooded)
    expect(received).toMatchObject({ messages: 200, duplicated: 0, reordered: 0 })
    expect(received.bytes).toBeGreaterThan(200 * 2_000)
  })

  withNode('reports how many messages got no answer from a server that stops', async () => {
    await using server = await startNodeServer()
    await using generating = start([
      ...['gen', '--post', `${server.url}/pub/{id}`, '--rate', '200', '--duration', '700ms'],
      '--json',
    ])
    await server.posts(20)
    await server[Symbol.asyncDispose]()
    const generated = await generating.finished
    expect(generated.exitCode).toBe(1)
    const { sent, unanswered, errors } = genReport(generated)
    expect(sent).toBeWithin(19, 140)
    expect(unanswered).toBeGreaterThan(0)
    expect(Object.values(errors).every((count) => count > 0)).toBe(true)
    expect(generated.stderr).toContain('Requests failed, see the errors.')
  })

  withNode('counts each refusal of a path that does not exist', async () => {
    await using server = await startNodeServer()
    const url = `${server.url}/nowhere/{id}`
    const options = ['--rate', '20', '--duration', '500ms', '--json']
    const generated = await run(['gen', '--post', url, ...options])
    expect(generated.exitCode).toBe(1)
    expect(Object.keys(genReport(generated).errors)).toEqual(['status_404'])
  })
})

describe('gen --subjects file:', () => {
  test.each([
    ['a line that is no id', '1\n2 3\n', 'line 2: this is neither'],
    ['an id that is too high', '2147483648\n', 'line 1: this is neither'],
    ['an id below 1', '7\n\n0\n', 'line 3: this is neither'],
    ['no line at all', '# nobody\n', ''],
  ])('with %s fails before anything is sent', async (_what, text, why) => {
    await using folder = await makeFolder()
    const path = `${folder.path}/ids.txt`
    await Bun.write(path, text)
    const finished = await run(['gen', 'http://127.0.0.1:1', '--subjects', `file:${path}`])
    expect([finished.exitCode, finished.stdout]).toEqual([2, ''])
    expect(finished.stderr).toStartWith(`comet gen: ${path}`)
    expect(finished.stderr).toContain(why)
    expect(finished.stderr.trim().split('\n')).toHaveLength(1)
  })
})
