// Goal: `comet flood --ndjson` tells how far it is while it runs, and its samples and its report
// say the same. Method: the executable in several processes, its lines read as they come.

import { expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { run, serve, start } from '../../support/comet.ts'
import { floodLines, genReport } from '../../support/reports.ts'

test('several processes are told of while they run, and in full at the end', async () => {
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  const options = { openFiles: 200 }
  const flood = ['flood', url, '--connections', '400', '--ndjson']
  await using flooding = start(flood, options)
  await waitFor('the streams', async () => (await server.stats()).streams.users === 400)
  const generating = run([
    'gen',
    server.controlUrl,
    ...['--rate', '2k', '--users', '400', '--messages', '5000', '--json'],
  ])
  // Once it has told of all that gen sends.
  await waitFor('all messages', () => flooding.stdout.includes('"messages":5000,'))
  flooding.kill('SIGINT')
  const flooded = await flooding.finished
  expect(flooded.exitCode).toBe(0)
  expect(genReport(await generating).delivered).toBe(5_000)
  const { samples, report } = floodLines(flooded)
  expect(samples.filter(({ latency }) => latency.p50Ms !== null).length).toBeGreaterThan(1)
  const { wanted, ...connections } = report.connections
  expect([wanted, report.received.messages]).toEqual([400, 5_000])
  expect(samples.at(-1)).toMatchObject({ connections, received: report.received })
  const longestMs = Math.max(...samples.map(({ latency }) => latency.maxMs ?? 0))
  expect(longestMs).toBe(report.latency.maxMs ?? 0)
  for (const [at, { seconds, received, latency }] of samples.entries()) {
    const before = samples[at - 1] ?? { seconds: 0, received: { messages: 0 } }
    expect(seconds).toBeGreaterThan(before.seconds)
    // Times are of what came in between, and there are some exactly if something came.
    expect(received.messages).toBeGreaterThanOrEqual(before.received.messages)
    expect(latency.p50Ms === null).toBe(received.messages === before.received.messages)
  }
})

test('--json and --ndjson together are an error', async () => {
  const { exitCode, stdout, stderr } = await run(['flood', '--json', '--ndjson'])
  const why = 'comet flood: give --json or --ndjson, not both\n'
  expect([exitCode, stdout, stderr]).toEqual([2, '', why])
})
