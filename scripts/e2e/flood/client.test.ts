// Goal: flood tells when what it measured is its own doing, and everything it counts is in its
// lines and on its page as well. Method: the executable stopped for a while by a signal; its files
// read.

import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { decodeFromCompressedBase64 } from 'hdr-histogram-js'
import { FloodSample } from '../../../src/flood/flood-report.ts'
import { run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { floodLines, floodReport } from '../../support/reports.ts'

test('a client that was late says so, in its report and in its summary', async () => {
  await using server = await serve()
  const flood = ['flood', `${server.publicUrl}/test/{id}`, '--connections', '20']
  await using telling = start([...flood, '--duration', '2700ms'])
  await using reporting = start([...flood, '--duration', '2700ms', '--json'])
  await server.open(40)
  for (const flooding of [telling, reporting]) flooding.kill('SIGSTOP')
  await Bun.sleep(1_500)
  for (const flooding of [telling, reporting]) flooding.kill('SIGCONT')
  const finished = await reporting.finished
  expect(finished.exitCode).toBe(0)
  const { client } = floodReport(finished)
  expect(client.processes).toBe(1)
  expect(client.loopLateMaxMs).toBeWithin(400, 4_000)
  expect(client.busySeconds).toBeWithin(1, 4)
  expect((await telling.finished).stdout).toMatch(
    /^client {4}was itself the bottleneck for \d s: it used up to [\d.]+ cores and was up to [\d.,]+ m?s late; measured times may be its own$/m,
  )
})

test('what streams did and what ended them is in each line and on the page', async () => {
  await using folder = await makeFolder()
  const page = `${folder.path}/flood.html`
  const expected = `${folder.path}/gen.json`
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  await using flooding = start([
    ...['flood', url, '--connections', '40', '--churn', '25%/s', '--slow', '10%', '--ndjson'],
    ...['--html', page, '--expect', expected, '--assert', 'failed=0'],
  ])
  await server.open(40)
  const generated = await run([
    ...['gen', server.controlUrl, '--users', '40', '--rate', '500', '--duration', '1500ms'],
    '--json',
  ])
  await Bun.write(expected, generated.stdout)
  flooding.kill('SIGINT')
  const finished = await flooding.finished
  // What was lost was allowed to be.
  expect([finished.exitCode, finished.stderr]).toEqual([0, ''])
  const { samples, report } = floodLines(finished)
  const last = samples.at(-1)
  expect(last?.behaviour).toEqual(report.behaviour)
  expect(last?.errors).toEqual(report.errors)
  expect(last?.received).toEqual(report.received)
  expect(report.behaviour).toMatchObject({ slow: 4, slowEnded: 0, vanished: 0 })
  expect(report.behaviour.churned).toBeGreaterThan(5)
  expect(report.comparison?.lost).toBeGreaterThan(0)
  // The histograms of all lines are that of the run.
  const counts = samples.map(({ histogram }) =>
    histogram === null ? 0 : decodeFromCompressedBase64(histogram).totalCount,
  )
  const total = counts.reduce((sum, count) => sum + count, 0)
  expect(total).toBe(report.received.messages)
  for (const sample of samples) expect(Value.Check(FloodSample, sample)).toBe(true)
  const html = await Bun.file(page).text()
  for (const group of ['behaviour', 'lateness', 'comparison', 'client']) {
    expect(html).toContain(`<td>${group}</td>`)
  }
  for (const name of ['churned', 'slow ended', 'vanished', 'promised', 'loop late max']) {
    expect(html).toContain(`<td>${name}</td>`)
  }
  expect(html).toContain('--assert failed=0')
})

test('several processes add up what their streams did, and name what was lost', async () => {
  await using folder = await makeFolder()
  const expected = `${folder.path}/gen.json`
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  const behaviour = ['--slow', '10%', '--churn', '20%/s', '--ramp', '500ms']
  const args = ['flood', url, '--connections', '300', ...behaviour, '--expect', expected, '--json']
  await using flooding = start(args, { openFiles: 200 })
  await server.open(300)
  const generated = await run([
    ...['gen', server.controlUrl, '--users', '300', '--rate', '2k', '--duration', '1s', '--json'],
  ])
  await Bun.write(expected, generated.stdout)
  flooding.kill('SIGINT')
  const finished = await flooding.finished
  expect(finished.exitCode).toBe(1)
  const report = floodReport(finished)
  expect(report.connections).toEqual({ wanted: 300, opened: 300, failed: 0, closed: 0 })
  expect(report.client.processes).toBe(3)
  expect(report.behaviour.slow).toBe(30)
  expect(report.behaviour.churned).toBeGreaterThan(20)
  const { lost, examples } = report.comparison ?? { lost: 0, examples: [] }
  // A tenth of all, and now and then what was under way to a stream that was just closed.
  expect(lost).toBeWithin(100, 320)
  expect(examples).toHaveLength(5)
})
