// Goal: the executable needs no file but its own, no HOME, no environment and no place to write to,
// and leaves nothing behind. Method: a copy of it in a folder that cannot be written to, run as a
// user of its own, serves, is flooded and stops; then no file of that user's is anywhere.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmod, copyFile, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { succeed } from '../../support/child-process.ts'
import { COMET, CometServer } from '../../support/comet.ts'
import { asNobody, canConfine, NOBODY } from '../../support/confined.ts'
import { folderOfTests } from '../../support/folder.ts'
import { floodReport } from '../../support/reports.ts'

// Registered first, so that the folder can be removed then.
afterAll(() => chmod(folder, 0o755))
const folder = folderOfTests()
let comet: string
/** Files of another user with the same number, from before. */
let littered: string

beforeAll(async () => {
  comet = `${folder}/comet`
  await copyFile(COMET, comet)
  await chmod(comet, 0o555)
  await chmod(folder, 0o555)
  littered = await filesOfNobody()
})

const SERVE = ['serve', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']

const FLOOD = ['--connections', '200', '--ramp', '200ms', '--duration', '1s', '--json']

/** Where programs leave files, of those that there are. */
const LITTERED = ['/tmp', '/var/tmp', '/dev/shm', '/run', tmpdir()]

async function filesOfNobody(): Promise<string> {
  const found = await Bun.$`find ${LITTERED} ${folder} -uid ${NOBODY}`.nothrow().quiet()
  return found.stdout.toString()
}

describe.skipIf(!canConfine)('as a user of its own (skipped unless root may confine)', () => {
  test.each([
    ['its own folder, which it cannot write to', '.', false],
    ['the root folder', '/', false],
    ['a read-only file system', '.', true],
  ] as const)('it works from %s', async (_where, at, readOnly) => {
    const where = { cwd: at === '.' ? folder : at, readOnly }
    await using server = asNobody([comet, ...SERVE, '--workers', '2'], where)
    const { publicUrl, controlUrl } = await server.listening()
    await using flood = asNobody([comet, 'flood', `${publicUrl}/test/{id}`, ...FLOOD], where)
    const flooded = await flood.finished
    expect([flooded.exitCode, flooded.stderr]).toEqual([0, ''])
    const { connections } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 200, opened: 200, failed: 0, closed: 0 })
    await using health = asNobody([comet, 'health', controlUrl], where)
    expect(await health.finished).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    server.signal('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
    await server.logged('"event":"stopped"')
    expect(await filesOfNobody()).toBe(littered)
    expect(await readdir(folder)).toEqual(['comet'])
  })

  test('a database that cannot be made is an error in words, exit 69', async () => {
    const command = [comet, ...SERVE.slice(0, -1), `${folder}/comet.db`]
    await using server = asNobody(command, { cwd: '/', readOnly: false })
    expect((await server.finished).exitCode).toBe(69)
    expect(server.stderr.trim().split('\n')).toHaveLength(1)
    await server.logged('comet.db')
    expect(await filesOfNobody()).toBe(littered)
  })
})

describe('as the user that runs the tests', () => {
  test('it needs neither environment nor place for temporary files, and leaves no file', async () => {
    const nowhere = ['env', '-i', 'TMPDIR=/nowhere/at/all', comet]
    const options = { cwd: folder }
    await using server = new CometServer([...nowhere, ...SERVE], options)
    const { publicUrl, controlUrl } = await server.listening()
    await succeed([...nowhere, 'flood', `${publicUrl}/test/{id}`, ...FLOOD], options)
    await succeed([...nowhere, 'health', controlUrl], options)
    expect(await server.end('SIGTERM')).toBe(0)
    expect(await readdir(folder)).toEqual(['comet'])
  })
})
