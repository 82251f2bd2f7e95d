// Goal: the npm package of the client library installs, is imported by Bun and Node, has types that
// the compiler takes with and without those of browsers, and is the same each time. Method: the
// package itself, installed in folders of their own.

import { beforeAll, expect, test } from 'bun:test'
import { mkdir } from 'node:fs/promises'
import { builtModule } from '../../src/browser/module.ts'
import { StreamServer } from '../../src/browser/server.fixture.ts'
import { runProgram } from '../support/child-process.ts'
import { folderOfTests } from '../support/folder.ts'
import { clientPackage } from './client-package.ts'

const root = `${import.meta.dir}/../..`
const folder = folderOfTests()
const app = `${folder}/app`

const READ = `import { connect, CometError } from 'comet-client'
const stream = connect(process.argv[2], { format: process.argv[3], retryMs: 20 })
stream.addEventListener('reconnect', () => console.log('reconnect'))
let count = 0
for await (const { body } of stream) {
  console.log(body)
  if (++count === 3) break
}
console.log(stream.state, typeof CometError)
`

const TYPED = `import { type CometMessage, type ConnectOptions, connect } from 'comet-client'
const stream = connect('http://localhost/stream/7', { token: async () => 'x', gaps: true, last: 1 })
export const ids: string[] = []
stream.addEventListener('gap', ({ detail }) => ids.push(detail.resume))
stream.addEventListener('typing', ({ detail }) => ids.push(detail.id))
stream.addEventListener('error', ({ detail }) => ids.push(detail.code))
for await (const item of stream) ids.push('gap' in item ? item.gap.after : item.id)
const plain: AsyncIterable<CometMessage> = connect('/stream/8', { format: ['sse', 'poll'] })
type Format = NonNullable<ConnectOptions['format']>
export const takesOthers: 'xml' extends Format ? true : false = false
export const takesOwn: 'sse' extends Format ? true : false = true
for await (const { data } of plain) ids.push(String(data))
`

beforeAll(async () => {
  await mkdir(app)
  await Bun.write(`${folder}/comet-client.tgz`, await clientPackage())
  const dependencies = { 'comet-client': 'file:../comet-client.tgz' }
  await Bun.write(`${app}/package.json`, JSON.stringify({ type: 'module', dependencies }))
  const installed = await runProgram([process.execPath, 'install'], { cwd: app, timeoutMs: 60_000 })
  expect(installed.exitCode, installed.stderr).toBe(0)
  await Bun.write(`${app}/read.js`, READ)
  await Bun.write(`${app}/typed.ts`, TYPED)
}, 60_000)

test('it is the same each time, and its module is what servers serve', async () => {
  const one = await clientPackage()
  expect(Buffer.compare(one, await clientPackage())).toBe(0)
  const installed = `${app}/node_modules/comet-client`
  expect(await Bun.file(`${installed}/comet.js`).text()).toBe(builtModule().text)
  const files = await Array.fromAsync(new Bun.Glob('*').scan(installed))
  expect(files.sort()).toEqual(['LICENSE', 'README.md', 'comet.d.ts', 'comet.js', 'package.json'])
})

/** Reads two messages, comes back after a cut, and exits by itself. */
async function expectRead(command: readonly string[], format: string): Promise<void> {
  using server = new StreamServer()
  const url = `${server.url}/stream/alice`
  const running = runProgram([...command, 'read.js', url, format], { cwd: app, timeoutMs: 20_000 })
  while (server.held === 0) await Bun.sleep(5)
  server.publish({ to: 'alice', body: 'm1' })
  server.publish({ to: 'alice', body: 'm2' })
  await Bun.sleep(100)
  while (server.held === 0) await Bun.sleep(5)
  server.cut()
  server.publish({ to: 'alice', body: 'm3' })
  const { stdout, stderr, exitCode } = await running
  const lines = stdout
    .trim()
    .split('\n')
    .filter((line) => line !== 'reconnect')
  expect([lines, stderr, exitCode]).toEqual([['m1', 'm2', 'm3', 'closed function'], '', 0])
}

test.each(['websocket', 'sse', 'json', 'poll'])('Bun reads by %s', async (format) => {
  await expectRead([process.execPath], format)
})

const node = Bun.which('node')

test.skipIf(node === null).each(['websocket', 'sse', 'json', 'poll'])(
  'Node reads by %s',
  async (format) => {
    // Node has WebSocket without being asked from 22 on.
    const flags = ['--experimental-websocket', '--no-warnings']
    await expectRead([String(node), ...flags], format)
  },
)

test.each([
  ['those of browsers', ['--lib', 'ESNext,DOM,DOM.AsyncIterable']],
  ['those of Bun', ['--lib', 'ESNext', '--types', `${root}/node_modules/bun-types`]],
])('its types go with %s', async (_, flags) => {
  const common = ['--noEmit', '--strict', '--target', 'ESNext', '--module', 'NodeNext']
  const command = [process.execPath, 'x', 'tsc', ...common, ...flags, `${app}/typed.ts`]
  const result = await runProgram([...command, '--ignoreConfig'], { cwd: root, timeoutMs: 60_000 })
  expect([result.stdout, result.exitCode]).toEqual(['', 0])
})
