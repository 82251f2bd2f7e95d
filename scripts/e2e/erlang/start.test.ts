// Goal: comet is told in many ways what node to be, says at once what is invalid, and shows its
// cookie to no one. Method: the executable with every such option, and nodes of every kind of name.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, NO_FILE, run } from '../../support/comet.ts'
import {
  COMET_NODE,
  COOKIE,
  connected,
  cookieFile,
  Erlang,
  erlangStats,
  MASTER,
  withErlang,
} from '../../support/erlang.ts'
import { makeFolder } from '../../support/folder.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

/** Everything that says of a process what it was started with. */
function shownOf({ pid }: CometServer): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')
}

/** A node and a comet by these names are connected, and a message gets through. */
async function talk(args: readonly string[], cometArgs: readonly string[]): Promise<void> {
  await using erlang = await Erlang.start()
  await using node = await erlang.node({ args })
  await using server = await erlang.serve([...cometArgs, '--erlang-cookie', COOKIE])
  await connected(server)
  const { name } = await erlangStats(server)
  expect(await node.run('nodes(hidden).')).toBe(`[${await node.run(`'${name}'.`)}]`)
  await using client = await RawClient.stream(server.publicPort, 123)
  await node.run(`{any, '${name}'} ! {123, <<"Hello">>}.`)
  expect(await client.received('Hello')).toEndWith(chunk('Hello'))
  // The same when Erlang opens the connection.
  await node.run(`erlang:disconnect_node('${name}').`)
  expect(await node.run(`net_adm:ping('${name}').`)).toBe('pong')
}

describe('names', () => {
  withErlang('may be long, with an address of IPv4', async () => {
    const args = ['-name', 'master@127.0.0.1']
    await talk(args, ['--erlang-node', 'master@127.0.0.1', '--erlang-name', 'c1@127.0.0.1'])
  })

  withErlang('may be long, with an address of IPv6', async () => {
    const args = ['-proto_dist', 'inet6_tcp', '-name', 'master@::1']
    await talk(args, ['--erlang-node', 'master@::1', '--erlang-name', 'c1@::1'])
  })

  withErlang('of both kinds together are invalid', async () => {
    const { exitCode, stderr } = await run([
      ...[
        'serve',
        ...NO_FILE,
        '--erlang-node',
        'master@127.0.0.1',
        '--erlang-name',
        'c1@localhost',
      ],
    ])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^comet serve: c1@localhost and master@127\.0\.0\.1 cannot talk: .+\n$/)
  })
})

describe('the cookie', () => {
  withErlang('may be in a file, in the environment, or in the home of the user', async () => {
    await using erlang = await Erlang.start()
    await using node = await erlang.node()
    await using file = await cookieFile()
    await using home = await makeFolder()
    await Bun.$`cp -p ${file.path} ${home.path}/.erlang.cookie`
    for (const [args, env] of [
      [['--erlang-cookie-file', file.path], {}],
      [[], { COMET_ERLANG_COOKIE: COOKIE }],
      [[], { HOME: home.path }],
    ] as const) {
      await using server = await erlang.serve(['--erlang-node', MASTER, ...args], env)
      await connected(server)
      expect(await node.run('nodes(hidden).')).toBe(`[${COMET_NODE}]`)
    }
  })

  test('is in no command line that others can see, and in no process that comet starts', async () => {
    const erlang = await Erlang.withoutEpmd()
    for (const args of [['--erlang-cookie', 'hushhush'], ['--erlang-cookie=hushhush']]) {
      await using server = await erlang.serve([...args, '--workers', '2'])
      expect(shownOf(server)).not.toContain('hushhush')
      expect(shownOf(server)).toContain('--erlang-cookie')
      expect(server.stderr).not.toContain('hushhush')
    }
    await using server = await erlang.serve(['--workers', '2'], { COMET_ERLANG_COOKIE: 'hushhush' })
    for (const { pid } of (await server.stats()).workers) {
      expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain('hushhush')
    }
  })

  test('is refused with a word that helps and does not show it', async () => {
    await using readable = await cookieFile('hushhush', 0o644)
    await using empty = await cookieFile('\n')
    await using strange = await cookieFile('hush\u0001hush')
    for (const [args, why] of [
      [['--erlang-cookie-file', readable.path], 'can be read by others; chmod 400'],
      [['--erlang-cookie-file', empty.path], 'is empty'],
      [['--erlang-cookie-file', strange.path], 'has characters that a cookie cannot have'],
      [['--erlang-cookie-file', `${empty.path}.none`], 'is not there'],
      [['--erlang-cookie', 'hush\u0001hush'], 'has characters that a cookie cannot have'],
      [['--erlang-cookie', 'hushhush'.repeat(32)], 'is longer than 255'],
      [['--erlang-cookie', 'hushhush', '--erlang-cookie-file', empty.path], 'not both'],
      [[], '.erlang.cookie is not there'],
    ] as const) {
      const command = ['serve', ...NO_FILE, '--erlang-name', COMET_NODE, ...args]
      const { exitCode, stderr } = await run(command, { env: { HOME: '/nonexistent' } })
      expect([args, exitCode]).toEqual([args, 2])
      expect(stderr).toStartWith('comet serve: ')
      expect(stderr).toContain(why)
      expect(stderr).not.toContain('hush')
    }
  })
})

test('options that are invalid are refused', async () => {
  for (const [args, why] of [
    [['--erlang-node', MASTER], 'requires --erlang-name'],
    [['--erlang-required'], 'requires --erlang-name'],
    [['--erlang-name', 'nohost'], "a node's name like"],
    [['--erlang-name', 'two@at@signs'], "a node's name like"],
    [['--erlang-name', 'c1@localhost', '--erlang-node', 'c1@localhost'], 'must differ from'],
    [['--erlang-name', 'c1@localhost', '--erlang-tick', '10ms'], 'a duration like'],
  ] as const) {
    const { exitCode, stderr } = await run(['serve', ...NO_FILE, ...args])
    expect([args, exitCode]).toEqual([args, 2])
    expect(stderr).toContain(why)
  }
})

describe('the port where nodes connect', () => {
  test('is the one that was asked for, and on loopback alone if the name is', async () => {
    const erlang = await Erlang.withoutEpmd()
    const cookie = ['--erlang-cookie', COOKIE]
    await using server = await erlang.serve([...cookie, '--erlang-listen', '127.0.0.1:0'])
    const { port } = await erlangStats(server)
    const wish = ['--erlang-name', COMET_NODE, ...cookie, '--erlang-listen', `127.0.0.1:${port}`]
    const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
    const { exitCode, stderr } = await run(['serve', ...NO_FILE, ...ports, ...wish])
    expect(exitCode).toBe(69)
    expect(stderr).toContain(`the Erlang port 127.0.0.1:${port} cannot be opened (EADDRINUSE)`)

    await using open = await erlang.serve(cookie)
    const listening = await Bun.$`ss -Hltn sport = :${(await erlangStats(open)).port}`.text()
    const locals = listening
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/)[3])
    expect(locals.every((local) => /^(127\.0\.0\.1|\[::1\]):/.test(String(local)))).toBe(true)
  })

  withErlang('is the one that epmd knows', async () => {
    await using erlang = await Erlang.start()
    await using server = await erlang.serve(['--erlang-cookie', COOKIE])
    await waitFor('the registration', async () => (await erlangStats(server)).registered)
    expect(await erlang.names()).toEqual(['c1'])
  })
})

withErlang('a second comet of the same name leaves the first its connection', async () => {
  await using erlang = await Erlang.start()
  await using node = await erlang.node()
  await using first = await erlang.comet()
  await connected(first)
  await using second = await erlang.comet()
  await waitFor('why it is not connected', async () => {
    return (await erlangStats(second)).peer?.why === 'the name is already registered at epmd'
  })
  expect(await node.run(`gen_server:call({comet, '${COMET_NODE}'}, {online, 1}).`)).toBe('0')
  expect((await erlangStats(first)).peer?.state).toBe('connected')
  first.kill('SIGTERM')
  await connected(second)
})

test('a server that is no node has none in its figures', async () => {
  const { exitCode, stdout } = await run(['serve', '--help'])
  expect(exitCode).toBe(0)
  for (const option of ['node', 'name', 'cookie-file', 'cookie', 'listen', 'tick', 'required']) {
    expect(stdout).toContain(`--erlang-${option}`)
  }
})
