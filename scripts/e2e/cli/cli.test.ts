// Goal: the command line helps, reports what is wrong in one line, and returns true exit codes; no
// option is silently without effect because of another. Method: run the executable.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { genReport } from '../../support/reports.ts'

test('--version prints version, commit and platform', async () => {
  const { exitCode, stdout } = await run(['--version'])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^comet \d+\.\d+\.\d+ \(([0-9a-f]{7,}\+?|unknown), linux-x64\)\n$/)
})

test.each([['version'], ['-V'], ['-v']])('%s is --version', async (word) => {
  expect(await run([word])).toEqual(await run(['--version']))
})

test.each([
  [['help'], ['--help']],
  [
    ['help', 'serve'],
    ['serve', '--help'],
  ],
  [
    ['help', 'friends', 'load'],
    ['friends', 'load', '--help'],
  ],
  [
    ['friends', 'help', 'load'],
    ['friends', 'load', '--help'],
  ],
])('%p is %p', async (args, same) => {
  const asked = await run(args)
  expect([asked.exitCode, asked.stderr]).toEqual([0, ''])
  expect(asked).toEqual(await run(same))
})

test.each([['1m'], ['1h30m']])('a duration may be %s', async (text) => {
  const { exitCode, stdout } = await run(['config', 'flood', '--hold', text])
  expect([exitCode, stdout.includes(`hold = "${text}"`)]).toEqual([0, true])
})

test('an address without http:// is accepted as a URL', async () => {
  await using server = await serve()
  const { publicPort, controlPort } = server
  const health = await run(['health', `localhost:${controlPort}`])
  expect([health.exitCode, health.stderr]).toEqual([0, ''])
  const flood = ['flood', '--connections', '3', '--hold', '1ms']
  expect((await run([...flood, `127.0.0.1:${publicPort}`])).exitCode).toBe(0)
  const gen = ['gen', '--messages', '3', '--users', '3']
  expect((await run([...gen, `127.0.0.1:${controlPort}`])).exitCode).toBe(0)
  expect((await server.stats()).streams.opened).toBe(3)
})

test.each([['1'], ['2']])(
  'a name that does not resolve is reported as such, %s workers',
  async (workers) => {
    const started = ['serve', '--workers', workers, '--db', ':memory:', '--control', '127.0.0.1:0']
    const { exitCode, stderr } = await run([
      ...[...started, '--anonymous', '--listen', 'nohost.invalid:8000'],
    ])
    expect(exitCode).toBe(69)
    expect(stderr).toContain('the public port nohost.invalid:8000')
    expect(stderr).toContain('nohost.invalid does not resolve (ENOTFOUND)')
  },
)

test('a port alone is an address to listen on', async () => {
  const { exitCode, stdout } = await run(['config', '--listen', '8000'])
  expect([exitCode, stdout.includes('listen = "8000"')]).toEqual([0, true])
})

test('--help lists the commands and the exit codes', async () => {
  const { exitCode, stdout, stderr } = await run(['--help'])
  expect([exitCode, stderr]).toEqual([0, ''])
  for (const text of ['serve', 'flood', 'gen', 'Exit codes', '69']) expect(stdout).toContain(text)
  expect(stdout).not.toContain('flood-worker')
})

test.each([
  [
    'serve',
    [
      ...['--listen', '--control', '--workers', '--connections', '--db', '--max-users'],
      ...['--max-streams', '--outbox', '--head-timeout'],
    ],
  ],
  [
    'flood',
    [
      ...['--connections', '--first-id', '--source', '--rate', '--pending', '--duration'],
      ...['--header', '--framing', '--churn', '--reconnect', '--slow', '--silent-drop'],
      ...['--ramp', '--hold', '--expect', '--assert', '--json', '--ndjson', '--html'],
    ],
  ],
  [
    'gen',
    [
      ...['--rate', '--generators', '--interval', '--users', '--address', '--duration'],
      ...['--messages', '--batch', '--publishers', '--seed', '--json'],
      ...['--post', '--subjects', '--size', '--find-rate', '--slo', '--streams'],
    ],
  ],
])('%s --help shows every option, its default and examples', async (name, options) => {
  const { exitCode, stdout } = await run([name, '--help'])
  expect(exitCode).toBe(0)
  for (const option of options) expect(stdout).toContain(option)
  expect(stdout).toContain('(default:')
  expect(stdout).toContain('Examples:')
})

describe('an invalid command line ends with 2 and one line that helps', () => {
  test.each([
    [['serve', '--oubox', '1'], "unknown option '--oubox' (Did you mean --outbox?)"],
    [['serve', '--outbox', '1KiB'], 'at least 64KiB'],
    [['serve', '--outbox', '64KB'], 'KB is ambiguous, write KiB'],
    [['serve', '--drain', '2h'], 'a duration like 250ms, 30s or 2h, at most 1h.'],
    [['serve', '--drain', '1s', '--drain', '2s'], "option '--drain' is given twice"],
    [['doctor', '--json', '--json'], "option '--json' is given twice"],
    [['serve', '--listen', 'nonsense'], 'an address like 127.0.0.1:8001'],
    [['serve', '--head-timeout', '10'], 'a duration like 250ms, 30s or 2h'],
    [['serve', '--control', '0.0.0.0:8001'], 'must be on a loopback address'],
    [['serve', 'extra'], 'too many arguments'],
    [['flood', '--connections', 'many'], 'a whole number like 500, 10k or 1m'],
    [['flood', '--source', '10.0.0.300'], 'an address like 10.0.0.1'],
    [['flood', 'nonsense'], 'it must look like http://127.0.0.1:8000/test/{id}'],
    [['flood', '--insecure'], '--insecure and --ca are for an address with https'],
    [['gen', '--interval', '5'], 'a duration like 50ms or a range like 11ms-110ms'],
    [['gen', '--address', 'everyone'], 'one of subject, to'],
    [['gen', 'nonsense'], 'not an address like http://127.0.0.1:8001'],
    [['gen', '--subjects', 'zipf:0'], 'zipf:s with s above 0'],
    [['gen', '--subjects', 'file:nowhere'], 'nowhere cannot be read (ENOENT)'],
    [['gen', '--size', '29'], 'at least 30 bytes for the stamp at the end'],
    [['gen', '--size', '100-50'], 'a range like 100-2000'],
    [['gen', '--size', '65KiB'], 'at most 65536'],
    [['gen', '--post', 'nonsense'], 'not an address like http://127.0.0.1:8080/pub/{id}'],
    [['gen', 'http://127.0.0.1:1', '--post', 'http://127.0.0.1:2/{id}'], 'give one of them'],
    [['gen', '--post', 'http://127.0.0.1:2/{id}', '--batch', '2'], 'leave --batch out'],
    [['gen', '--slo', 'lost=0'], '--slo requires --find-rate'],
    [['gen', '--streams', 'http://127.0.0.1:1/{id}'], '--streams requires --find-rate'],
    [['gen', '--find-rate', '--slo', 'p100<1ms'], 'p50, p90, p99'],
    [['gen', '--find-rate', '--interval', '5ms'], 'leave --interval out'],
    [['gen', '--find-rate', '--messages', '5'], 'leave --messages out'],
    [['gen', '--find-rate', '--streams', 'nonsense'], 'it must look like'],
    [['flood-worker'], 'is started by comet flood'],
    [['sevre'], "unknown command 'sevre' (Did you mean serve?)"],
  ])('%p', async (args, text) => {
    const { exitCode, stdout, stderr } = await run(args)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(text)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toStartWith('comet')
  })

  test('no command at all shows the help', async () => {
    const { exitCode, stderr } = await run([])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('Usage: comet')
  })
})

test('a .env and a bunfig.toml in the working directory change nothing', async () => {
  await using folder = await makeFolder()
  await Bun.write(`${folder.path}/.env`, 'NODE_ENV=development\n')
  await Bun.write(`${folder.path}/bunfig.toml`, 'preload = ["./no-such-file.ts"]\n')
  await using server = await serve([], { cwd: folder.path })
  const response = await server.ask('/livez')
  expect(response.status).toBe(200)
})

test('logs are one JSON object a line where there is no terminal', async () => {
  await using server = await serve()
  await server.publish({ to: 1, body: 'a secret' })
  server.kill('SIGTERM')
  const { stderr, stdout } = await server.finished
  const events = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(events.map(({ event }) => event)).toEqual([
    'listening',
    'limit',
    'subscriptions',
    'draining',
    'stopped',
  ])
  for (const event of events) {
    expect(Date.parse(String(event['time']))).toBeGreaterThan(0)
    expect(event['level']).toBe('info')
  }
  expect(String(events[1]?.['message'])).toMatch(/^Up to [\d,]+ streams: .*open files/)
  expect(stderr + stdout).not.toContain('a secret')
})

const POST = ['--post', 'http://127.0.0.1:9/{id}']

describe('two options of which one would have no effect are refused', () => {
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
    [
      ['flood', 'http://127.0.0.1:9/all', '--first-id', '5'],
      '--first-id needs {id} in the address',
    ],
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
  await using folder = await makeFolder()
  const path = `${folder.path}/comet.toml`
  await Bun.write(path, '[gen]\ninterval = "1ms"\n')
  const options = ['--config', path, '--rate', '20', '--duration', '1s', '--json']
  expect(genReport(await run(['gen', server.controlUrl, ...options])).sent).toBe(20)
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
