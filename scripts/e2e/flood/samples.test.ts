// Goal: `comet flood --ndjson` tells how far it is while it runs, and its samples and its report say
// the same. Method: the executable in several processes, its lines read as they come.

import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { FloodReport } from '../../../src/flood/flood-report.ts'
import { FloodSample } from '../../../src/flood/sample.ts'
import { GenReport } from '../../../src/gen/gen-report.ts'
import { COMET, run, serve, waitFor } from '../../support/comet.ts'

test('several processes are told of while they run, and in full at the end', async () => {
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  const command = [COMET, 'flood', url, '--connections', '400', '--ndjson']
  await using flooding = Bun.spawn(['sh', '-c', 'ulimit -n 200; exec "$0" "$@"', ...command], {
    stdout: 'pipe',
  })
  await waitFor('the streams', async () => (await server.stats()).streams.users === 400)
  const generating = run([
    'gen',
    server.controlUrl,
    ...['--rate', '2k', '--users', '400', '--duration', '2500ms', '--json'],
  ])
  const lines: string[] = []
  let isTold = false
  for await (const line of linesOf(flooding.stdout)) {
    lines.push(line)
    // Once all that gen sends has been told of; a second signal would end it without a report.
    if (!isTold && messagesOf(line) === 5_000) {
      isTold = true
      flooding.kill('SIGINT')
    }
  }
  expect(await flooding.exited).toBe(0)
  expect(Value.Parse(GenReport, JSON.parse((await generating).out)).delivered).toBe(5_000)
  const report = Value.Parse(FloodReport, JSON.parse(lines.pop() ?? ''))
  const samples = lines.map((line) => Value.Parse(FloodSample, JSON.parse(line)))
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
  const { exitCode, out, words } = await run(['flood', '--json', '--ndjson'])
  const why = 'comet flood: give --json or --ndjson, not both\n'
  expect([exitCode, out, words]).toEqual([2, '', why])
})

/** How many messages a sample or a report counts. */
function messagesOf(line: string): number {
  return (JSON.parse(line) as Pick<FloodSample, 'received'>).received.messages
}

/** Lines as they come. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
