// Goal: every example of the manual about streams, messages and servers does what its page says.
// Method: the marked blocks, with free ports and small numbers in place of theirs, run by a shell.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { EventSource } from 'eventsource'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { COMET, type CometServer, serve } from '../../support/comet.ts'
import { blockOf, readDocument } from '../../support/documented-commands.ts'
import { ANY_PLACES, commandsOf, DocumentedShell, linesOf } from '../../support/documented-shell.ts'
import { folderOfTests } from '../../support/folder.ts'
import { withoutIds } from '../../support/ids.ts'
import { PROMTOOL } from '../../support/metrics.ts'
import { RawClient } from '../../support/raw-client.ts'

const root = `${import.meta.dir}/../../..`

const folder = folderOfTests()
let server: CometServer
let shell: DocumentedShell

beforeAll(async () => {
  server = await serve()
  shell = await DocumentedShell.open(folder, server)
})

afterAll(() => server[Symbol.asyncDispose]())

// The reader has curl; a machine that only builds may not.
const withCurl = test.skipIf(Bun.which('curl') === null)

/** Blocks of which each line ends by itself, with 0 and what it announces. */
const PLAIN = [
  ['presence', 'presence'],
  ['subscriptions', 'follow'],
  ['publishing', 'publish'],
  ['publishing', 'lines'],
  ['shell', 'publish'],
  ['tokens', 'ticket'],
  ['tokens', 'revoke'],
  ['metrics', 'metrics'],
  ['monitoring', 'health'],
  ['configuration', 'config'],
] as const

describe.each(PLAIN)('%s: %s', (page, name) => {
  withCurl('says what the page says', async () => {
    for (const { line, expected } of await commandsOf(page, name)) {
      const { exitCode, stdout } = await shell.start(line).finished
      expect([line, exitCode]).toEqual([line, 0])
      if (expected !== null) expect(withoutIds(stdout.trim())).toBe(withoutIds(expected))
    }
  })
})

describe.each([
  ['streams', 'open'],
  ['formats', 'formats'],
] as const)('%s: %s', (page, name) => {
  withCurl('each of its streams has what is published', async () => {
    await server.publish({ to: 'alice', body: 'before' })
    for (const line of await linesOf(page, name)) {
      await using client = shell.start(line)
      if (!line.includes('offset=')) {
        await server.open(1)
        expect(await server.publish({ to: 'alice', body: 'live' })).toBe(1)
      }
      const wanted = line.includes('offset=') ? 'before' : 'live'
      await waitFor('the message', () => client.stdout.includes(wanted))
      client.kill()
      await server.open(0)
    }
  })
})

withCurl('a client resumes as the page says', async () => {
  const body = 'published before'
  await server.publish({ to: 123, body })
  for (const line of await linesOf('resume', 'resume')) {
    await using client = shell.start(line)
    await waitFor('the message', () => client.stdout.includes(body))
    client.kill()
    await server.open(0)
  }
})

test('publish and listen do what the page says', async () => {
  const [listen = '', publish = ''] = await linesOf('shell', 'shell')
  await using listening = shell.start(listen)
  await server.open(1)
  const published = await shell.start(publish).finished
  expect([published.stdout, published.exitCode]).toEqual(['1 delivered\n', 0])
  await waitFor('the message', () => listening.stdout === 'Hello\n')
  listening.kill()
  await server.open(0)
  const [count = ''] = await linesOf('shell', 'count')
  await server.publish({ to: 'alice', body: 'one' })
  const counted = await shell.start(count).finished
  expect([counted.stdout.trim().split('\n').length, counted.exitCode]).toEqual([1, 0])
})

withCurl('the feed tells who comes and goes as the page says', async () => {
  const [feed = ''] = await linesOf('presence', 'feed')
  await using following = shell.start(feed)
  using client = await RawClient.stream(server.publicPort, 4_711)
  await waitFor('its line', () => following.stdout.includes('"user":4711'))
  client.terminate()
  await waitFor('its end', () => /"user":4711.*"reason":"client"/.test(following.stdout))
  following.kill()
  // The fields are those that the page shows, in their order.
  const shown = (text: string, user: number) =>
    [...text.matchAll(/^\{"id".*"event".*\}$/gm)]
      .map(([line]) => JSON.parse(line) as { user: number })
      .flatMap((event) => (event.user === user ? [Object.keys(event)] : []))
  const page = await readDocument('presence')
  expect(shown(page, 42)).toHaveLength(2)
  expect(shown(following.stdout, 4_711)).toEqual(shown(page, 42))
  await server.open(0)
})

/** Blocks whose lines start servers, each with what is given besides. */
const SERVERS = [
  ['limits', 'limits', []],
  ['workers', 'workers', [['--connections 100', '--connections 25000']]],
  ['proxies', 'proxied', []],
] as const

describe.each(SERVERS)('%s: %s', (page, name, pairs) => {
  test('starts', async () => {
    await Bun.write(`${folder}/secret`, 'a secret that is longer than 32 characters')
    for (const line of await linesOf(page, name)) {
      const isThere = pairs.filter(([from]) => line.includes(from) || /1m/.test(line))
      await using started = shell.start(`${line} ${ANY_PLACES}`, isThere)
      await started.logged('"event":"listening"')
    }
  })
})

withCurl('a token opens a stream as the page says', async () => {
  const [secret = '', serving = '', create = '', open = '', check = ''] = await linesOf(
    'tokens',
    'token',
  )
  expect(await shell.start(secret).exited).toBe(0)
  const anyPorts = `${serving} --control 127.0.0.1:0 --db :memory:`
  await using started = shell.start(anyPorts, [['0.0.0.0:8000', '0.0.0.0:0']])
  await started.logged('"event":"listening"')
  const [, port = ''] = /"public":"[^"]*:(\d+)"/.exec(started.stderr) ?? []
  const [, control = ''] = /"control":"([^"]*)"/.exec(started.stderr) ?? []
  expect(await shell.start(create).exited).toBe(0)
  await using client = shell.start(open, [[`127.0.0.1:${server.publicPort}`, `127.0.0.1:${port}`]])
  const publish = async () => {
    const answer = await fetch(`${control}/subjects/room:42`, { method: 'POST', body: 'Goal!' })
    return ((await answer.json()) as { delivered: number }).delivered === 1
  }
  await waitFor('the stream to get it', publish)
  await waitFor('the line', () => client.stdout.includes('"subject":"room:42","body":"Goal!"}\n'))
  client.kill()
  const checked = (await shell.start(check).finished).stdout
  expect(checked).toContain('"user":"alice"')
  expect(checked).toContain('"read":["room:*"]')
})

test.skipIf(Bun.which('openssl') === null)('tokens of the control port have roles', async () => {
  const [write = '', serving = ''] = await linesOf('control-api', 'roles')
  expect(await shell.start(write).exited).toBe(0)
  await using started = shell.start(`${serving.replace(/--control \S+:8001/, '')} ${ANY_PLACES}`)
  await started.logged('"event":"listening"')
  const [, control = ''] = /"control":"([^"]*)"/.exec(started.stderr) ?? []
  const lines = (await Bun.file(`${folder}/control-tokens`).text()).trim().split('\n')
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['publish', 'read', 'admin'])
  const statuses = lines.map(async (line) => {
    const headers = { authorization: `Bearer ${line.split(' ')[1]}` }
    return (await fetch(`${control}/stats`, { headers })).status
  })
  expect(await Promise.all(statuses)).toEqual([403, 200, 200])
})

withCurl('a control port on a Unix socket answers as the page says', async () => {
  const [serving = '', ask = '', health = ''] = await linesOf('control-api', 'unix')
  const place = ['/run/comet.sock', `${folder}/comet.sock`] as const
  const rest = '--listen 127.0.0.1:0 --db :memory:'
  await using started = shell.start(`${serving} ${rest}`, [place])
  await started.logged('"event":"listening"')
  expect(JSON.parse((await shell.start(ask, [place]).finished).stdout)).toHaveProperty('streams')
  expect(await shell.start(health, [place]).exited).toBe(0)
})

describe('the browser page', () => {
  /** Runs a block of it as a program, with the module that the server serves. */
  async function program(name: string): Promise<ChildProcess> {
    const block = blockOf(await readDocument('browser'), 'js', name)
    await Bun.write(
      `${folder}/comet.js`,
      await (await fetch(`${server.publicUrl}/comet.js`)).text(),
    )
    const text = block
      .replaceAll('https://push.example/comet.js', './comet.js')
      .replaceAll('https://push.example', server.publicUrl)
    await Bun.write(`${folder}/${name}.js`, text)
    return new ChildProcess([process.execPath, `${folder}/${name}.js`], { name })
  }

  test('iterates over messages', async () => {
    await using running = await program('connect')
    await server.open(1)
    await server.publish({ subject: 'room:42', event: 'goal', body: '1:0' })
    await waitFor('the message', () => / room:42 goal 1:0\n/.test(running.stdout))
    running.kill()
    await server.open(0)
  })

  test('listens to events', async () => {
    await using running = await program('events')
    await server.open(1)
    await server.publish({ to: 'alice', event: 'typing', body: 'bob' })
    await waitFor('both', () => /message bob\ntyping bob\n/.test(running.stdout))
    running.kill()
    await server.open(0)
  })

  test('gets along with an EventSource', async () => {
    const block = blockOf(await readDocument('browser'), 'js', 'eventsource')
    const text = block.replace('https://push.example', server.publicUrl)
    const shown: unknown[] = []
    const output = { log: (...words: unknown[]) => shown.push(words.join(' ')) }
    const run = new Function('EventSource', 'console', `${text}\nreturn source`)
    const source = run(EventSource, output) as EventSource
    await server.open(1)
    await server.publish({ to: 'alice', body: 'Hello' })
    await waitFor('the message', () => shown.includes('message Hello'))
    source.close()
    await server.open(0)
  })
})

describe('configuration', () => {
  test('its file of options is valid', async () => {
    await Bun.write(
      `${folder}/shown.toml`,
      blockOf(await readDocument('configuration'), 'toml', null),
    )
    expect(await Bun.$`${COMET} config check ${folder}/shown.toml`.text()).toContain('is valid')
  })
})

describe('monitoring', () => {
  test.skipIf(PROMTOOL === null)('its rules pass their tests, and its file is one', async () => {
    for (const line of await linesOf('monitoring', 'alerts')) {
      expect([
        line,
        await Bun.$`sh -c ${line}`
          .cwd(root)
          .quiet()
          .then((done) => done.exitCode),
      ]).toEqual([line, 0])
    }
    await Bun.write(`${folder}/token`, 'a token of the control port')
    const yaml = blockOf(await readDocument('monitoring'), 'yaml', null)
    const path = `${folder}/prometheus.yaml`
    await Bun.write(path, yaml.replace('/etc/prometheus/comet-token', `${folder}/token`))
    const done = await Bun.$`${PROMTOOL} check config ${path}`.quiet().nothrow()
    expect([done.exitCode, done.stderr.toString()]).toEqual([0, ''])
  })
})

test('a copy of the database is exported and loaded as the page says', async () => {
  await Bun.write(`${folder}/pairs`, '1 2\nalice 7\n')
  await Bun.$`${COMET} friends load pairs --names --db copy.db`.cwd(folder).quiet()
  for (const line of await linesOf('upgrade', 'export')) {
    expect([line, await shell.start(line).exited]).toEqual([line, 0])
  }
  const back = await Bun.$`${COMET} friends export --db ${folder}/restored.db`.text()
  expect(back.trim().split('\n').sort()).toEqual(['1 2', 'alice 7'])
})

test('what a running server has is in the two files of its database', async () => {
  await using owner = await serve(['--db', `${folder}/kept.db`])
  await owner.changeFollow('PUT', 'alice', 7)
  await Bun.$`cp ${folder}/kept.db ${folder}/snapshot.db`
  await Bun.$`cp ${folder}/kept.db-wal ${folder}/snapshot.db-wal`
  expect(await Bun.$`${COMET} friends export --db ${folder}/snapshot.db`.text()).toBe('alice 7\n')
  const locked = await Bun.$`${COMET} friends export --db ${folder}/kept.db`.quiet().nothrow()
  expect(locked.exitCode).not.toBe(0)
})

test.each([
  ['nginx', 'nginx.conf'],
  ['haproxy', 'haproxy.cfg'],
  ['caddy', 'Caddyfile'],
])('the site of %s on the page is that which the tests run', async (language, file) => {
  const path = `${root}/scripts/operate/proxies/${file}`
  const withoutComments = (text: string) =>
    text
      .replaceAll(/^#.*\n/gm, '')
      .replaceAll(/\n{2,}/g, '\n')
      .trim()
  const shown = withoutComments(blockOf(await readDocument('proxies'), language, null))
  expect(shown).toBe(withoutComments(await Bun.file(path).text()))
})
