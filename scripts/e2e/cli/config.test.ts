// Goal: every option can be set on the command line, in the environment and in a file, and comet
// config shows which value counts. Method: the executable, with all three.

import { describe, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { NO_FILE, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'

const FILE = `
[serve]
listen = "127.0.0.1:0"
max-users = 500
outbox = "1MiB"

[gen]
rate = "2k"

[friends.generate]
users = 50
`

async function fileOf(text: string) {
  const folder = await makeFolder()
  const path = `${folder.path}/comet.toml`
  await Bun.write(path, text)
  return { path, folder: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

/** The value of an option and where it comes from, as `comet config` tells. */
function shown(stdout: string, option: string): string | undefined {
  return new RegExp(`^((?:# )?${option} =.*)$`, 'm').exec(stdout)?.[1]?.replace(/ +#/, ' #')
}

describe('comet config', () => {
  test('shows each value and where it comes from', async () => {
    await using file = await fileOf(FILE)
    const env = { COMET_MAX_USERS: '700', COMET_CONFIG: file.path, COMET_ERLANG_COOKIE: 'hush' }
    const { exitCode, stdout, stderr } = await run(['config', '--control', ':9'], { env })
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(shown(stdout, 'listen')).toBe(`listen = "127.0.0.1:0" # ${file.path}`)
    expect(shown(stdout, 'control')).toBe('control = ":9" # --control')
    expect(shown(stdout, 'max-users')).toBe('max-users = "700" # COMET_MAX_USERS')
    expect(shown(stdout, 'db')).toBe('db = "comet.db" # default')
    expect(shown(stdout, 'workers')).toBe('# workers = # not set')
    expect(shown(stdout, 'erlang-cookie')).toBe(
      '# erlang-cookie = "(hidden)" # COMET_ERLANG_COOKIE',
    )
    expect(stdout).not.toContain('hush')
  })

  test('shows a file for --config', async () => {
    await using file = await fileOf('')
    for (const command of [['serve'], ['flood'], ['gen'], ['friends', 'generate'], ['doctor']]) {
      const before = await run(['config', ...command])
      await Bun.write(file.path, before.stdout)
      const check = await run(['config', 'check', file.path])
      expect([check.exitCode, check.stderr]).toEqual([0, ''])
      const after = await run(['config', ...command, '--config', file.path])
      const values = (stdout: string) => stdout.replaceAll(/ +# .*$/gm, '')
      expect(values(after.stdout)).toBe(values(before.stdout))
      expect(after.stdout).toContain(`# ${file.path}`)
    }
  })

  test('check reports all mistakes in a file, and exits 1', async () => {
    await using file = await fileOf('[serve]\nlistn = ":1"\noutbox = "1"\n[gne]\n')
    const { exitCode, stderr, stdout } = await run(['config', 'check', file.path])
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr.trim().split('\n')).toEqual([
      `comet config check: ${file.path}: unknown option listn in [serve]; did you mean listen?`,
      expect.stringContaining(`${file.path}: outbox in [serve]: expected a size like 64KiB`),
      `comet config check: ${file.path}: unknown table [gne]; did you mean gen?`,
    ])
  })
})

describe('comet config check', () => {
  test.each([
    ['[serve]\ntls-cert = "c.pem"\n', '[serve]: give --tls-cert and --tls-key, or neither'],
    ['[serve]\nerlang-node = "a@b"\n', '[serve]: --erlang-node requires --erlang-name'],
    ['[serve]\ncontrol = "0.0.0.0:8001"\n', 'without --control-token-file it must be on'],
    ['[flood]\nassert = "lost=0"\n', '[flood]: lost and unexpected need a comparison'],
    ['[gen]\npost = "nowhere"\n', '[gen]: --post nowhere is not an address like'],
  ])('reports of %j what a start would report', async (text, why) => {
    await using file = await fileOf(text)
    const check = await run(['config', 'check', file.path])
    expect([check.exitCode, check.stdout]).toEqual([1, ''])
    expect(check.stderr).toStartWith(`comet config check: ${file.path}: `)
    expect(check.stderr).toContain(why)
    const [, command = ''] = /^\[(\w+)/.exec(text) ?? []
    const started = await run([command, '--config', file.path])
    expect(started.exitCode).toBe(2)
    expect(started.stderr).toContain(why.replace(`[${command}]: `, ''))
  })

  test('treats a flag that is off as one that is left out', async () => {
    await using file = await fileOf('[doctor]\njson = true\nsysctl = false\n')
    expect((await run(['config', 'check', file.path])).exitCode).toBe(0)
    const { exitCode, stdout } = await run([
      'doctor',
      '--config',
      file.path,
      '--connections',
      '100',
    ])
    expect([exitCode, JSON.parse(stdout).met]).toEqual([0, true])
  })

  test.each([
    '[gen]\nslo = "p99<5ms"\nstreams = "127.0.0.1:1/{id}"\n',
    '[serve]\ntrusted-proxy = "10.0.0.1"\n',
  ])('allows options without effect: %j', async (text) => {
    await using file = await fileOf(text)
    const check = await run(['config', 'check', file.path])
    expect([check.exitCode, check.stderr]).toEqual([0, ''])
  })

  test('allows what a server then ignores', async () => {
    await using file = await fileOf('[serve]\ntrusted-proxy = "10.0.0.1"\n')
    await using server = await serve(['--config', file.path])
    expect((await server.stats()).state).toBe('ready')
  })

  test('says which table a key belongs in', async () => {
    await using file = await fileOf('listen = ":80"\n')
    const { stderr } = await run(['config', 'check', file.path])
    expect(stderr).toContain('listen belongs in [serve]')
  })

  test('gives line and column of invalid TOML, without what is in quotes', async () => {
    await using file = await fileOf('[serve]\nerlang-cookie = "hush\noutbox = 64KiB\n')
    const { exitCode, stderr } = await run(['config', 'check', file.path])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('this is not TOML: line 2, column 22: ')
    expect(stderr).not.toContain('hush')
  })

  test('is suggested when it is misspelt', async () => {
    const { exitCode, stderr } = await run(['config', 'chek', 'comet.toml'])
    expect([exitCode, stderr]).toEqual([2, 'comet: too many arguments; did you mean check?\n'])
  })

  test('uses the environment for the rest', async () => {
    await using file = await fileOf('[serve]\ntls-cert = "c.pem"\n')
    const env = { COMET_TLS_KEY: 'k.pem' }
    expect((await run(['config', 'check', file.path], { env })).exitCode).toBe(0)
  })
})

describe('a file that is not UTF-8 is refused with that reason', () => {
  const LATIN = Buffer.from('# f\u00fcr alle\n0123456789abcdefghij', 'latin1')

  test.each([
    ['--config', []],
    ['--control-token-file', []],
    ['--erlang-cookie-file', ['--erlang-name', 'comet@localhost']],
  ])('of %s', async (option, more) => {
    await using file = await fileOf('')
    await Bun.write(file.path, LATIN)
    await chmod(file.path, 0o400)
    const { exitCode, stderr } = await run(['serve', ...NO_FILE, option, file.path, ...more])
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`${file.path} is not UTF-8`)
  })
})

describe('a command', () => {
  test('uses the command line before the environment, and that before the file', async () => {
    await using file = await fileOf(FILE)
    const env = { COMET_CONFIG: file.path, COMET_MAX_USERS: '700', COMET_MAX_STREAMS: '20' }
    await using server = await serve(['--max-streams', '30'], { env })
    expect((await server.stats()).streams.limit).toBe(30)
    const highest = async (user: number) => {
      const response = await fetch(`${server.publicUrl}/test/${user}`, { method: 'HEAD' })
      return response.status
    }
    expect([await highest(700), await highest(701)]).toEqual([200, 503])
  })

  test('in a group has its own table and variables', async () => {
    await using file = await fileOf(FILE)
    const generate = ['friends', 'generate', '--degree', '2', '--config', file.path]
    const lines = async (env: Record<string, string>) =>
      (await run(generate, { env })).stdout.trim().split('\n').length
    expect(await lines({})).toBe(await lines({ COMET_FRIENDS_GENERATE_USERS: '50' }))
    expect(await lines({ COMET_FRIENDS_GENERATE_USERS: '60' })).toBe((await lines({})) + 20)
  })

  test.each([
    [{ COMET_OUTBOX: '1' }, 'outbox of COMET_OUTBOX: expected a size like 64KiB'],
    [{ COMET_CONFIG: '/nonexistent.toml' }, '/nonexistent.toml is not there'],
    [{ COMET_WORKERS: '2', COMET_CONNECTIONS: '3' }, 'give --workers or --connections, not both'],
  ])('refuses to start with %j', async (env, why) => {
    const { exitCode, stderr } = await run(['serve', '--db', ':memory:'], { env })
    expect(exitCode).toBe(2)
    expect(stderr).toStartWith('comet serve: ')
    expect(stderr).toContain(why)
  })

  test('warns of an unknown variable, with a suggestion', async () => {
    const env = { COMET_MAX_USER: '5', COMET_WHATEVER: 'x', COMET_FLOOD_HOLD: '1s' }
    const { exitCode, stderr } = await run(['config'], { env })
    expect(exitCode).toBe(0)
    expect(stderr.trim().split('\n')).toEqual([
      'comet: unknown option COMET_MAX_USER in the environment; did you mean COMET_MAX_USERS?',
      'comet: unknown option COMET_WHATEVER in the environment',
    ])
  })

  test('says in its help where else its options may be set', async () => {
    const { stdout } = await run(['flood', '--help'])
    expect(stdout).toContain('COMET_FLOOD_<OPTION>')
    expect(stdout).toContain('[flood]')
    expect(stdout).toContain('--config <file>')
  })
})

test('comet config check shows no secret, and only the first mistakes', async () => {
  await using folder = await makeFolder()
  const file = `${folder.path}/comet.toml`
  const check = async (text: string) => {
    await Bun.write(file, text)
    return (await run(['config', 'check', file])).stderr
  }
  expect(await check('[serve]\nerlang-cookie = hushhush\n')).not.toContain('hush')
  const many = Array.from({ length: 5_000 }, (_, at) => `max-strea${at} = 1`).join('\n')
  const lines = (await check(`[serve]\n${many}\n`)).trim().split('\n')
  expect([lines.length, lines.at(-1)]).toEqual([21, `comet config check: ${file}: and more`])
  expect(await check('[serve]\nworkers = 2\nconnections = 5\n')).toContain('not both')
  await chmod(file, 0o644)
  const secret = '[serve]\nerlang-name = "a@b"\nerlang-cookie = "hushhush"\n'
  expect(await check(secret)).toContain('other users can read this file')
  await chmod(file, 0o600)
  expect(await check(secret)).toBe('')
  expect((await run(['serve', 'erlang-cookie=hushhush'])).stderr).not.toContain('hush')
})
