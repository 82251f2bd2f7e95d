// Goal: on a terminal `comet flood` shows how it goes in lines that change in place, and leaves
// only its summary. Method: the executable on a pseudo-terminal, its screen read as it changes.

import { expect, test } from 'bun:test'
import { startOnTerminal } from '../../../src/cli/pty.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { COMET, type CometServer, run, serve } from '../../support/comet.ts'

const SIZE = { columns: 72, rows: 20 }

function flood(server: CometServer, env: Record<string, string> = {}, options: string[] = []) {
  const url = `${server.publicUrl}/test/{id}`
  return startOnTerminal([COMET, 'flood', url, '--connections', '50', ...options], SIZE, env)
}

test('the lines change in place, fit the window, and give way to the summary', async () => {
  await using server = await serve()
  await using flooding = flood(server)
  const screen = () => flooding.screen().text
  await waitFor('the streams', () => screen().includes('50 open of 50'))
  const sending = run([
    ...['gen', server.controlUrl, '--rate', '1k', '--users', '50', '--messages', '1000'],
  ])
  await waitFor('the messages', () => screen().includes('1,000 in all'))
  expect((await sending).exitCode).toBe(0)
  expect(screen()).toMatch(/^messages\/s {2}[▁▂▃▄▅▆▇█]+ +max [\d,]+$/m)
  expect(screen()).toMatch(/^p99 {9}[ ▁▂▃▄▅▆▇█]+ +max [\d.]+ m?s$/m)
  expect(screen().match(/^streams/gm)).toHaveLength(1)
  expect(flooding.screen().cursorIsHidden).toBe(true)
  flooding.resize(30, 20)
  await waitFor('narrow lines', () => screen().includes('streams     50 open of 50, 0…'))
  for (const line of screen().split('\n')) expect(Bun.stringWidth(line)).toBeLessThan(30)
  flooding.resize(72, 20)
  flooding.process.kill('SIGINT')
  expect(await flooding.process.exited).toBe(0)
  await waitFor('the cursor', () => !flooding.screen().cursorIsHidden)
  await waitFor('the summary', () => screen().includes('latency'))
  expect(screen()).toStartWith('streams   50 opened of 50 wanted')
  expect(screen()).not.toContain('messages/s')
})

test('a second signal ends it at once, and the cursor comes back', async () => {
  await using server = await serve()
  await using flooding = flood(server)
  await waitFor('the streams', () => flooding.screen().text.includes('50 open of 50'))
  flooding.process.kill('SIGTERM')
  flooding.process.kill('SIGINT')
  await flooding.process.exited
  expect(String(flooding.process.signalCode)).toMatch(/^SIG(INT|TERM)$/)
  await waitFor('the cursor', () => !flooding.screen().cursorIsHidden)
  expect(flooding.screen().text).toBe('')
})

test('without color there is none, and on a dumb terminal there are plain lines', async () => {
  await using server = await serve()
  await using plain = flood(server, { NO_COLOR: '1' })
  await using dumb = flood(server, { TERM: 'dumb' })
  await waitFor('the lines', () => plain.screen().text.includes('50 open of 50'))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what colors begin with
  expect(plain.raw()).not.toMatch(/\x1b\[[\d;]*m/)
  await waitFor('a plain line', () => dumb.raw().includes('50 open, 0 closed, 50 chunks'))
  expect(dumb.raw()).not.toContain('\x1b')
})

test('with --ndjson nothing moves on the terminal that has its lines', async () => {
  await using server = await serve()
  await using flooding = flood(server, {}, ['--ndjson'])
  await waitFor('a sample', () => flooding.raw().includes('"opened":50'))
  expect(flooding.raw()).not.toContain('\x1b')
})
