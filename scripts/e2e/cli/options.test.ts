// Goal: no option is silently of no effect because of another one: the two are refused by their names.
// Method: the executable, with pairs that stand for two wishes of which one can be had.

import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { waitFor } from '../../support/child-process.ts'
import { run, serve, start } from '../../support/comet.ts'
import { genReport } from '../../support/reports.ts'

const POST = ['--post', 'http://127.0.0.1:9/{id}']

describe('two options of which one would be ignored are refused', () => {
  test.each<[readonly string[], string]>([
    [['gen', '--rate', '10', '--interval', '1ms-2ms'], 'give --rate or --interval, not both'],
    [['gen', ...POST, '--address', 'to'], 'give --post or --address, not both'],
    [
      ['gen', ...POST, '--control-token-file', 'token'],
      'give --post or --control-token-file, not both',
    ],
    [['gen', '--users', '5', '--subjects', 'file:ids.txt'], 'give --users or --subjects file:'],
    [['gen', '--post', 'http://127.0.0.1:9/pub', '--users', '5'], '--users stand for {id}'],
    [['flood', '--rate', '5', '--ramp', '5s'], 'give --rate or --ramp, not both'],
    [['flood', 'http://127.0.0.1:9/all', '--first-id', '5'], '--first-id counts up {id}'],
    [['serve', '--workers', '2', '--connections', '10'], 'give --workers or --connections'],
    [['serve', '--forwarded-header', 'Forwarded'], '--forwarded-header requires --trusted-proxy'],
    [['serve', '--erlang-tick', '5s'], '--erlang-tick requires --erlang-name'],
    [
      ['serve', '--control', '127.0.0.1:0', '--control-mode', '0660'],
      '--control-mode requires --control unix:/path',
    ],
    [['doctor', '--sysctl', '--json'], 'give --sysctl or --json, not both'],
  ])('%j', async (args, why) => {
    const { exitCode, stdout, stderr } = await run(args)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(why)
  })
})

test('an interval on the command line counts before a rate in the environment', async () => {
  await using server = await serve()
  const options = ['--interval', '50ms', '--generators', '2', '--duration', '1s', '--json']
  const env = { COMET_GEN_RATE: '10k' }
  const generated = await run(['gen', server.controlUrl, ...options], { env })
  expect(generated.exitCode).toBe(0)
  // Two generators, every 50 ms of a second.
  expect(genReport(generated).sent).toBeWithin(36, 41)
})

test('a rate on the command line counts before an interval in the file', async () => {
  await using server = await serve()
  const folder = await mkdtemp(`${tmpdir()}/comet-options-`)
  try {
    await Bun.write(`${folder}/comet.toml`, '[gen]\ninterval = "1ms"\n')
    const file = ['--config', `${folder}/comet.toml`]
    const options = ['--rate', '20', '--duration', '1s', '--json']
    const generated = await run(['gen', server.controlUrl, ...file, ...options])
    expect(genReport(generated).sent).toBe(20)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a rate below the number of generators is sent by all of them', async () => {
  const seen = new Set<string>()
  using server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      seen.add(/stamp=(\d+)/.exec(await request.text())?.[1] ?? '')
      return Response.json({ accepted: 1, delivered: 1 })
    },
  })
  const options = ['--rate', '10', '--generators', '20', '--duration', '1h']
  await using generating = start(['gen', `http://127.0.0.1:${server.port}`, ...options])
  await waitFor('more generators than a second has messages', () => seen.size === 12)
  generating.kill('SIGINT')
  expect((await generating.finished).exitCode).toBe(0)
})
