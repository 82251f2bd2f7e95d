// Goal: a server goes on whatever becomes of its log, and says later what is missing; no stray
// signal ends it. Method: the executable with a standard error that is full, slow or gone; real
// signals.

import { describe, expect, test } from 'bun:test'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { ask, COMET, freePort, NO_FILE, serve } from '../../support/comet.ts'
import { asNobody, canConfine } from '../../support/confined.ts'
import { canMount, mountSmallDisk, UNLESS_MOUNT } from '../../support/disk.ts'
import { makeFolder } from '../../support/folder.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

interface Blind extends AsyncDisposable {
  readonly child: ChildProcess
  readonly publicPort: number
  readonly control: string
  metrics(): Promise<string>
}

/** A server for which the shell does something first, with its standard error above all. */
async function serveAfter(preparation: string, args: readonly string[], cwd = '.'): Promise<Blind> {
  const [publicPort, controlPort] = [freePort(), freePort()]
  const ports = ['--listen', `127.0.0.1:${publicPort}`, '--control', `127.0.0.1:${controlPort}`]
  const command = [COMET, 'serve', ...ports, ...NO_FILE, ...args]
  const shell = ['bash', '-c', `${preparation}; exec "$0" "$@"`]
  const child = new ChildProcess([...shell, ...command], { cwd })
  const control = `http://127.0.0.1:${controlPort}`
  await waitFor('the server to be ready', async () => {
    if (child.hasExited) throw child.error('exited')
    return await ask(control, '/readyz').then(
      ({ ok }) => ok,
      () => false,
    )
  })
  return {
    child,
    publicPort,
    control,
    metrics: async () => await (await ask(control, '/metrics')).text(),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

/** Lines that all processes together could not write. */
function dropped(metrics: string): number {
  const values = metrics.matchAll(/^comet_log_lines_dropped_total\{.*\} (\d+)$/gm)
  return [...values].reduce((sum, [, value]) => sum + Number(value), 0)
}

const FILL = 'head -c 65536 /dev/zero >&2'

describe.each([
  ['one process', []],
  ['workers', ['--workers', '2']],
] as const)('with %s', (_, args) => {
  test.each([
    ['on a full disk', 'exec 2>/dev/full'],
    ['in a file that may not grow', 'head -c 65536 /dev/zero >log; ulimit -f 64; exec 2>>log'],
    ['in a pipe whose reader is gone', 'exec 2> >(exec true)'],
    ['in a pipe whose reader does not read', `exec 2> >(exec sleep 60); ${FILL}`],
  ])('a log %s is dropped and counted, and the server goes on', async (_where, preparation) => {
    await using folder = await makeFolder()
    await using server = await serveAfter(preparation, args, folder.path)
    await using client = await RawClient.stream(server.publicPort, 1)
    server.child.kill('SIGUSR1')
    await waitFor('lines to be dropped', async () => dropped(await server.metrics()) > 2)
    const body = JSON.stringify({ to: 1, body: 'hello' })
    const headers = { 'content-type': 'application/json' }
    const sent = await ask(server.control, '/messages', { method: 'POST', headers, body })
    expect(await sent.json()).toMatchObject({ delivered: 1 })
    await client.received(chunk('hello'))
    server.child.kill('SIGTERM')
    expect(await server.child.exited).toBe(0)
    await client.ended()
  })

  test('no stray signal ends the server or a stream', async () => {
    await using server = await serve([...args])
    await using client = await RawClient.stream(server.publicPort, 1)
    const workers = (await server.stats()).workers.map(({ pid }) => pid ?? 0)
    for (const pid of [server.pid, ...workers]) {
      for (const name of STRAY) Bun.spawnSync(['kill', `-${name}`, String(pid)])
    }
    expect(await server.publish({ to: 1, body: 'hello' })).toBe(1)
    await client.received(chunk('hello'))
    await server.logged('"event":"signal"')
    const after = (await server.stats()).workers
    expect(after.map(({ pid }) => pid)).toEqual(workers)
  })
})

const STRAY = ['USR1', 'USR2', 'ALRM', 'VTALRM', 'PROF', 'IO', 'PIPE', 'XFSZ', 'STKFLT', '35', '64']

test('a log that can be written again says at once how many lines are missing', async () => {
  await using folder = await makeFolder()
  await Bun.$`mkfifo log`.cwd(folder.path)
  const preparation = `exec 3<>log 2>log 3<log; ${FILL}`
  await using server = await serveAfter(preparation, [], folder.path)
  await waitFor('lines to be dropped', async () => dropped(await server.metrics()) > 0)
  await using reader = new ChildProcess(['cat', 'log'], { cwd: folder.path })
  await waitFor('a line about them', () => reader.stdout.includes('"event":"log_dropped"'))
  expect(await server.child.end('SIGTERM')).toBe(0)
  const [line = '{}'] = (await reader.finished).stdout.match(/\{.*"event":"log_dropped".*/) ?? []
  const { level, lines } = JSON.parse(line)
  expect({ level, isCounted: lines > 0 }).toEqual({ level: 'warn', isCounted: true })
})

describe.skipIf(!canMount)(`a log on a file system that was full ${UNLESS_MOUNT}`, () => {
  test.each([
    ['from its first line on', 0, ''],
    ['within a line', 1, '\n'.repeat(4_000)],
  ])('says once how many lines are missing, if it was full %s', async (_, pagesLeft, before) => {
    await using disk = await mountSmallDisk()
    await disk.fill(pagesLeft)
    await Bun.write(`${disk.path}/log`, before)
    await using server = await serveAfter('exec 2>>log', [], disk.path)
    server.child.kill('SIGUSR1')
    await waitFor('lines to be dropped', async () => dropped(await server.metrics()) > 2)
    const text = () => Bun.file(`${disk.path}/log`).text()
    expect((await text()).length).toBe(pagesLeft * 4_096)
    await disk.free()
    await waitFor('a word about them', async () => (await text()).includes('"log_dropped"'))
    // Of signals there is one line a second at most.
    await waitFor('a line behind it', async () => {
      server.child.kill('SIGUSR2')
      return (await text()).includes('SIGUSR2')
    })
    const written = (await text()).split('\n').filter((line) => line !== '')
    // Each of them is whole, or it would not be JSON.
    const events = written.map((line) => JSON.parse(line))
    const told = events.filter(({ event }) => event === 'log_dropped')
    expect(told.map(({ lines }) => lines)).toEqual([dropped(await server.metrics())])
  })
})

describe.skipIf(!canConfine)('as process 1 (skipped unless root may confine)', () => {
  test('the server warns that it is not an init', async () => {
    const command = [COMET, 'serve', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
    await using server = asNobody([...command, ...NO_FILE], { cwd: '/', readOnly: false })
    await server.logged('"event":"init"')
    await server.logged('--init')
  })
})
