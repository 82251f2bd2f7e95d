// Goal: the command line helps, says what is wrong in one line, and its exit codes are true.
// Method: run the executable.

import { describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { run, serve } from '../../support/comet.ts'

test('--version names version, commit and platform', async () => {
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

test('an address without http:// is a URL', async () => {
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
  'a name that does not resolve is no port in use, %s workers',
  async (workers) => {
    const started = ['serve', '--workers', workers, '--db', ':memory:', '--control', '127.0.0.1:0']
    const { exitCode, stderr } = await run([...started, '--listen', 'nohost.invalid:8000'])
    expect(exitCode).toBe(69)
    expect(stderr).toContain('the public port nohost.invalid:8000')
    expect(stderr).toContain('nohost.invalid does not resolve (ENOTFOUND)')
  },
)

test('a port alone is one to listen on', async () => {
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
])('%s --help names every option, its default and examples', async (name, options) => {
  const { exitCode, stdout } = await run([name, '--help'])
  expect(exitCode).toBe(0)
  for (const option of options) expect(stdout).toContain(option)
  expect(stdout).toContain('(default:')
  expect(stdout).toContain('Examples:')
})

describe('a command line that is invalid ends with 2 and one line that helps', () => {
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
    [['flood', 'https://127.0.0.1/test/{id}'], 'https is not supported'],
    [['gen', '--interval', '5'], 'a duration like 50ms or a range like 11ms-110ms'],
    [['gen', '--address', 'everyone'], 'one of subject, to'],
    [['gen', 'nonsense'], 'no address like http://127.0.0.1:8001'],
    [['gen', '--subjects', 'zipf:0'], 'zipf:s with s above 0'],
    [['gen', '--subjects', 'file:nowhere'], 'nowhere cannot be read (ENOENT)'],
    [['gen', '--size', '29'], 'at least 30 bytes, which the stamp at the end may take'],
    [['gen', '--size', '100-50'], 'a range like 100-2000'],
    [['gen', '--size', '65KiB'], 'at most 65536'],
    [['gen', '--post', 'nonsense'], 'no address like http://127.0.0.1:8080/pub/{id}'],
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
  const cwd = await mkdtemp(`${tmpdir()}/comet-cwd-`)
  try {
    await Bun.write(`${cwd}/.env`, 'NODE_ENV=development\n')
    await Bun.write(`${cwd}/bunfig.toml`, 'preload = ["./no-such-file.ts"]\n')
    await using server = await serve([], { cwd })
    const response = await fetch(`${server.controlUrl}/livez`)
    expect(response.status).toBe(200)
  } finally {
    await rm(cwd, { recursive: true })
  }
})

test('logs are one JSON object a line where nobody reads them', async () => {
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
