// Goal: comet publish and comet listen do in a shell what HTTP does: data on standard output, words
// on standard error, exit codes. Method: the executable against servers of its own.

import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { SECRET, signToken } from '../../../src/identity/token.fixture.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, freePort, run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'

function publish(server: CometServer, args: readonly string[], text?: string) {
  const stdin = text === undefined ? {} : { stdin: new Blob([text]) }
  return run(['publish', ...args, '--control', server.controlUrl], stdin)
}

function listen(server: CometServer, ...args: string[]) {
  return start(['listen', ...args, '--url', server.publicUrl])
}

test('what is published is printed, a message a line, until there were enough', async () => {
  await using server = await serve()
  await using listening = listen(server, '7', '--count', '4')
  await server.open(1)
  expect(await publish(server, ['7', 'two', 'words'])).toMatchObject({
    ...{ exitCode: 0, stdout: '1 delivered\n', stderr: '' },
  })
  await publish(server, ['--subject', '7'], 'from a pipe\n')
  await publish(server, ['7', '--data', '{"n": 12345678901234567890}'])
  await publish(server, ['7', '--event', 'last', 'ö'])
  const { exitCode, stdout } = await listening.finished
  expect(stdout).toBe('two words\nfrom a pipe\n{"n": 12345678901234567890}\nö\n')
  expect(exitCode).toBe(0)
})

test('--json prints what the server sends', async () => {
  await using server = await serve()
  await using listening = listen(server, '7', '--count', '1', '--json')
  await server.open(1)
  const published = await publish(server, ['7', '--event', 'e', 'text', '--json'])
  const { id } = JSON.parse(published.stdout) as { id: string }
  expect(published.stdout).toBe(`{"delivered":1,"id":"${id}"}\n`)
  expect((await listening.finished).stdout).toBe(
    `{"id":"${id}","to":7,"event":"e","body":"text"}\n`,
  )
})

test('listen sends a token, and follows the stream of its user', async () => {
  await using folder = await makeFolder()
  const [secret, tokenPath] = [`${folder.path}/secret`, `${folder.path}/token`]
  writeFileSync(secret, SECRET, { mode: 0o600 })
  const exp = Math.floor(Date.now() / 1_000) + 60
  writeFileSync(tokenPath, `${signToken({ alg: 'HS256' }, { sub: '7', exp }, SECRET)}\n`)
  await using server = await serve(['--jwt-secret-file', secret])
  await using listening = listen(server, '--token-file', tokenPath, '--count', '1')
  await server.open(1)
  await publish(server, ['7', 'for seven'])
  expect(await listening.finished).toMatchObject({ exitCode: 0, stdout: 'for seven\n' })
  const refused = await listen(server, '8', '--token-file', tokenPath).finished
  expect([refused.exitCode, refused.stdout]).toEqual([1, ''])
  expect(refused.stderr).toContain(
    'answered 403, user: The token is not for the stream of this user',
  )
})

test('with --once the end of the stream is a failure, and it is told how to go on', async () => {
  await using server = await serve()
  await using listening = listen(server, '7', '--once')
  await server.open(1)
  const published = await publish(server, ['7', 'first', '--json'])
  const { id } = JSON.parse(published.stdout) as { id: string }
  await waitFor('the message', () => listening.stdout === 'first\n')
  server.kill('SIGTERM')
  const { exitCode, stderr } = await listening.finished
  expect([exitCode, stderr]).toEqual([
    1,
    `comet listen: the server has ended the stream: drained; --after ${id} goes on from here\n`,
  ])
})

test('a signal ends it with the exit code that shells give', async () => {
  await using server = await serve()
  await using listening = listen(server, '7')
  await server.open(1)
  listening.kill('SIGINT')
  expect((await listening.finished).exitCode).toBe(130)
  await server.open(0)
})

test.each([
  [['publish', '7', 'x', '--control', 'http://127.0.0.1:{port}'], 69, 'nothing listens at'],
  [['listen', '7', '--url', 'http://127.0.0.1:{port}'], 69, 'nothing listens at'],
  [['publish', 'a b', 'x'], 2, 'give a user'],
  [['publish', '7', '--data', '{'], 2, 'the text is no JSON'],
  [
    ['publish', '7', 'x', '--event', 'a b'],
    2,
    "1 to 64 letters, digits and . _ : @ -, but not start, gap or end, which are comet's own",
  ],
  [['listen'], 2, 'give a user, or --token-file'],
  [['listen', '7', '--after', 'yesterday'], 2, 'oldest, or an id like'],
  [['listen', '7', '--last', '1001'], 2, 'at most'],
  [['listen', '7', '--last', '1', '--after', 'oldest'], 2, '--last'],
] as const)('%p is refused', async (args, code, why) => {
  const port = String(freePort())
  const { exitCode, stderr } = await run(args.map((each) => each.replace('{port}', port)))
  expect([exitCode, stderr]).toEqual([code, expect.stringContaining(why)])
})

test('what the server refuses is told in its words', async () => {
  await using server = await serve()
  const refused = await publish(server, ['9999999', 'x'])
  expect(refused).toMatchObject({
    ...{ exitCode: 1, stdout: '' },
    stderr: 'comet publish: There is no user above 1114112, by --max-users.\n',
  })
})

/** A server that answers each connection with these bytes, and then closes it if it `ends`. */
function answering(bytes: string, ends: boolean) {
  const server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket) {
        socket.write(bytes)
        if (ends) socket.end()
      },
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    [Symbol.dispose]: () => server.stop(true),
  }
}

test('an answer that breaks off is a failure of the server, not a bug', async () => {
  using server = answering('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', true)
  const cut = await run(['publish', '7', 'x', '--control', server.url])
  expect(cut).toMatchObject({ exitCode: 69, stdout: '' })
  expect(cut.stderr).toStartWith(`comet publish: ${server.url} does not answer (`)
})

test('an answer that is longer than any of comet is not read whole', async () => {
  const body = 'x'.repeat(100_000)
  using server = answering(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${body}`, false)
  const { exitCode, stderr } = await run(['publish', '7', 'x', '--control', server.url])
  expect([exitCode, stderr]).toEqual([
    69,
    `comet publish: ${server.url} answers with more than comet does\n`,
  ])
})

test('a line without an end is not kept for ever', async () => {
  const body = 'x'.repeat(600_000)
  using server = answering(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nno\n${body}`, false)
  const first = await run(['listen', '7', '--url', server.url])
  expect([first.exitCode, first.stderr]).toEqual([
    1,
    'comet listen: the server sent a line that is no message\n',
  ])
  using endless = answering(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${body}`, false)
  const { exitCode, stderr } = await run(['listen', '7', '--url', endless.url])
  expect([exitCode, stderr]).toEqual([
    1,
    'comet listen: the server sent a line that is too long for a message\n',
  ])
})
