// Goal: every command of the README that a reader can copy does what it says there.
// Method: take the marked blocks, put free ports and small numbers in their place, and run them.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { FAMILIES } from '../../../src/control/families.ts'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { COMET, type CometServer, serve } from '../../support/comet.ts'
import { type DocumentedCommand, documentedCommands } from '../../support/documented-commands.ts'
import { COOKIE, Erlang, MASTER, withErlang } from '../../support/erlang.ts'
import { folderOfTests } from '../../support/folder.ts'
import { withoutIds } from '../../support/ids.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

const readme = await Bun.file(`${import.meta.dir}/../../../README.md`).text()

const COMMANDS = [
  ...['serve', 'publish', 'listen', 'flood', 'gen', 'doctor', 'health'],
  ...['generate', 'load', 'export', 'stats'].map((name) => `friends ${name}`),
  ...['create', 'check'].map((name) => `token ${name}`),
]

/** For a server that is started besides the test's. */
const ANY_PLACES = '--listen 127.0.0.1:0 --control 127.0.0.1:0 --db :memory:'

/** The command lines of the blocks of that name, each with the output it announces. */
function commandsOf(name: string): DocumentedCommand[] {
  return documentedCommands(readme, name)
}

const folder = folderOfTests()
let server: CometServer

beforeAll(async () => {
  server = await serve()
  await Bun.$`ln -s ${COMET} ${folder}/comet`
})

afterAll(() => server[Symbol.asyncDispose]())

/** The same command against the test's server, and small enough for a test. */
function adapted(line: string): string {
  return line
    .replaceAll('127.0.0.1:8000', `127.0.0.1:${server.publicPort}`)
    .replaceAll('127.0.0.1:8001', `127.0.0.1:${server.controlPort}`)
    .replace('./comet flood --', `./comet flood ${server.publicUrl}/test/{id} --`)
    .replace('./comet gen', `./comet gen ${server.controlUrl}`)
    .replace('--connections 10k', '--connections 100')
    .replace('--users 10k', '--users 100')
    .replace('--users 1m', '--users 1000')
    .replace('--duration 30s', '--duration 3s')
    .replace('--duration 8s', '--duration 6s')
    .replace('--rate 16666 --users 100 --duration 15s', '--rate 1000 --users 100 --duration 1s')
}

function shell(line: string): ChildProcess {
  return new ChildProcess(['bash', '-c', adapted(line)], { name: line, cwd: folder })
}

// The README's reader has curl; a machine that only builds may not.
const withCurl = test.skipIf(Bun.which('curl') === null)

withCurl('the commands by hand do what the README says', async () => {
  const commands = commandsOf('by-hand')
  expect(commands.map(({ line }) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    './comet serve',
    'curl -N',
    'curl http://127.0.0.1:8001/messages',
    './comet flood',
    './comet gen',
  ])
  const [, stream, publish, flood, gen] = commands
  if (!stream || !publish || !flood || !gen) throw new Error('a command is missing')

  const listening = shell(stream.line)
  await server.open(1)
  const published = await shell(publish.line).finished
  expect(withoutIds(published.stdout)).toBe(withoutIds(publish.expected))
  const wanted = "Welcome, Url: '/test/123' Id: 123\nHello"
  await waitFor('the message', () => listening.stdout.length >= wanted.length)
  expect(listening.stdout).toBe(wanted)
  listening.kill()
  await server.open(0)

  const flooding = shell(flood.line)
  await server.open(100)
  const generated = await shell(gen.line).finished
  expect(generated.stdout).toContain('promised  1,000 deliveries')
  const flooded = await flooding.finished
  expect(flooded.stdout).toContain('1,000 messages')
  expect(flooded.stdout).toContain('0 duplicated, 0 out of order')
  expect([generated.exitCode, flooded.exitCode]).toEqual([0, 0])
})

test('publish and listen do what the README says', async () => {
  const [listen, publish] = commandsOf('shell').map(({ line }) => line)
  if (!listen || !publish) throw new Error('a command is missing')
  const listening = shell(`exec ${listen} --url ${server.publicUrl}`)
  await server.open(1)
  const published = await shell(`${publish} --control ${server.controlUrl}`).finished
  expect([published.stdout, published.exitCode]).toEqual(['1 delivered\n', 0])
  await waitFor('the message', () => listening.stdout === 'Hello\n')
  listening.kill()
  await server.open(0)
})

test('the generator does what the README says', async () => {
  for (const { line } of commandsOf('gen')) {
    const { exitCode, stdout } = await shell(line).finished
    expect(stdout).toContain('2,000 messages in 2.0 s')
    expect(exitCode).toBe(0)
  }
})

test.each(['expect', 'names'])(
  'the flood compares as the README says: %s',
  async (name) => {
    const [flood, gen] = commandsOf(name)
    if (!flood || !gen) throw new Error('a command is missing')
    const flooding = shell(flood.line)
    await server.open(1_000)
    expect(await shell(gen.line).exited).toBe(0)
    const { exitCode, stdout } = await flooding.finished
    expect(stdout).toContain('promised  2,000 deliveries, 0 lost, 0 more than promised')
    expect(exitCode).toBe(0)
  },
  30_000,
)

withCurl('the feed tells who comes and goes as the README says', async () => {
  const [feed] = commandsOf('feed')
  if (!feed) throw new Error('a command is missing')
  const following = shell(`exec ${feed.line}`)
  using client = await RawClient.stream(server.publicPort, 4_711)
  await waitFor('its line', () => following.stdout.includes('"user":4711'))
  client.terminate()
  await waitFor('its end', () => /"user":4711.*"reason":"client"/.test(following.stdout))
  following.kill()
  // The fields are those that the README shows, in their order.
  const shown = (text: string, user: number) =>
    [...text.matchAll(/^\{"id".*"event".*\}$/gm)]
      .map(([line]) => JSON.parse(line) as { user: number })
      .flatMap((event) => (event.user === user ? [Object.keys(event)] : []))
  expect(shown(readme, 42)).toHaveLength(2)
  expect(shown(following.stdout, 4_711)).toEqual(shown(readme, 42))
  await server.open(0)
})

withCurl('the lines are answered as the README says', async () => {
  const [command] = commandsOf('lines')
  const { stdout } = await shell(String(command?.line)).finished
  expect(withoutIds(stdout)).toBe(withoutIds(command?.expected))
})

withCurl('following does what the README says', async () => {
  for (const { line, expected } of commandsOf('follow')) {
    expect((await shell(line).finished).stdout.trim()).toBe(String(expected))
  }
})

withCurl('a stream begins with the oldest message as the README says', async () => {
  const [command] = commandsOf('resume')
  const body = 'published before'
  await fetch(`${server.controlUrl}/users/123`, { method: 'POST', body })
  const client = shell(`exec ${command?.line}`)
  await waitFor('the message', () => client.stdout.includes(`"to":123,"body":"${body}"}\n`))
  client.kill()
  await server.open(0)
})

test('a server with the limits of the README starts', async () => {
  for (const { line } of commandsOf('limits')) {
    await using started = shell(`exec ${line} ${ANY_PLACES}`)
    await started.logged('"event":"listening"')
  }
})

withCurl('a token opens a stream as the README says', async () => {
  const [secret, serving, create, open, check] = commandsOf('token').map(({ line }) => line)
  if (!secret || !serving || !create || !open || !check) throw new Error('a command is missing')
  expect(await shell(secret).exited).toBe(0)
  const onAnyPort = serving.replace('0.0.0.0:8000', '0.0.0.0:0')
  await using started = shell(`exec ${onAnyPort} --control 127.0.0.1:0 --db :memory:`)
  await started.logged('"event":"listening"')
  const [, port = ''] = /"public":"[^"]*:(\d+)"/.exec(started.stderr) ?? []
  expect(await shell(create).exited).toBe(0)
  const [, control = ''] = /"control":"([^"]*)"/.exec(started.stderr) ?? []
  const client = shell(`exec ${open.replace('8000', port)}`)
  const publish = async () => {
    const answer = await fetch(`${control}/subjects/room:42`, { method: 'POST', body: 'Goal!' })
    return ((await answer.json()) as { delivered: number }).delivered === 1
  }
  await waitFor('the stream to get it', publish)
  await waitFor('the line', () => client.stdout.includes('"subject":"room:42","body":"Goal!"}\n'))
  client.kill()
  const checked = (await shell(check).finished).stdout
  expect(checked).toContain('"user":"alice"')
  expect(checked).toContain('"read":["room:*"]')
})

test('the friends commands do what the README says', async () => {
  for (const { line } of commandsOf('friends')) {
    const { exitCode, stderr } = await shell(line).finished
    expect([exitCode, stderr]).toEqual([0, ''])
  }
  const stats = await Bun.$`${COMET} friends stats --db ${folder}/comet.db`.text()
  expect(stats).toContain('14,880 subscriptions')
  expect(await Bun.file(`${folder}/followers.svg`).text()).toStartWith('<svg')
})

test('the doctor does what the README says', async () => {
  for (const { line } of commandsOf('doctor')) {
    const { exitCode, stdout } = await shell(line).finished
    expect(stdout).toContain('100')
    expect([line, exitCode]).toEqual([line, 0])
  }
})

withCurl('the metrics are read as the README says', async () => {
  const [command] = commandsOf('metrics')
  const { stdout } = await shell(String(command?.line)).finished
  expect(stdout.trim()).toBe(String(command?.expected))
})

test('the README has every metric, and no other', async () => {
  const told = await (await server.ask('/metrics')).text()
  const names = (text: string, pattern: RegExp) =>
    new Set([...text.matchAll(pattern)].map(([, name]) => String(name)))
  const exposed = names(told, /^# TYPE (comet_\w+)/gm)
  const rows = readme.slice(readme.indexOf('### Metrics'), readme.indexOf('### Among Erlang'))
  const named = names(rows, /\b(comet_[a-z_]+)/g)
  // What is of an Erlang node, of a bus, of workers or of each stream is told only where there are
  // some.
  const seldom = /^comet_(erlang|bus|feed_shared|worker|kernel|stream_memory)_/
  expect([...named].filter((name) => !exposed.has(name) && !seldom.test(name))).toEqual([])
  const families = Object.keys(FAMILIES)
  expect([...named].filter((name) => !families.includes(name))).toEqual([])
  expect(families.filter((name) => !named.has(name))).toEqual([])
})

test('the config commands do what the README says', async () => {
  for (const { line, expected } of commandsOf('config')) {
    const { exitCode, stdout } = await shell(line).finished
    if (expected !== null) expect(stdout.trim()).toBe(expected)
    expect([line, exitCode]).toEqual([line, 0])
  }
})

test('the file of options that the README shows is valid', async () => {
  const [, toml = ''] = /^```toml\n([\s\S]*?)^```$/m.exec(readme) ?? []
  await Bun.write(`${folder}/shown.toml`, toml)
  expect(await Bun.$`${COMET} config check ${folder}/shown.toml`.text()).toContain('is valid')
})

withErlang('the Erlang shell says what the README says', async () => {
  const [node, comet, ...expressions] = commandsOf('erlang')
  expect(node?.line).toBe(`erl -sname ${MASTER} -setcookie ${COOKIE}`)
  await using erlang = await Erlang.start()
  await using running = await erlang.node()
  const line = `exec env ERL_EPMD_PORT=${erlang.env['ERL_EPMD_PORT']} ${comet?.line} ${ANY_PLACES}`
  await using started = shell(line)
  const [, port] = await waitFor('the server to listen', () => {
    return /"event":"listening".*"public":"http:\/\/0?[^:]*:(\d+)"/.exec(started.stderr) ?? false
  })
  await waitFor('the connection', async () => (await running.run('nodes(hidden).')) !== '[]')
  await using client = await RawClient.stream(Number(port), 123)
  expect(expressions.length).toBeGreaterThan(4)
  for (const { line, expected } of expressions) {
    expect([line, await running.run(line)]).toEqual([line, String(expected)])
  }
  expect(await client.received('one')).toEndWith(
    ['Hello', 'to all who follow', 'one'].map(chunk).join(''),
  )
})

test('every option that the README names exists', async () => {
  const help = await Promise.all(
    COMMANDS.map((name) => Bun.$`${COMET} ${name.split(' ')} --help`.text()),
  )
  const named = new Set([...readme.matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option))
  const known = `${help.join('\n')}\n--data-binary --unix-socket --target --suite --silence --help --only --gzip --image --name --read-only --cap-drop --ulimit --now`
  expect([...named].filter((option) => !known.includes(option))).toEqual([])
})
