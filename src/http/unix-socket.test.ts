// Goal: the file of a server that is gone is replaced, and no other. Method: sockets in a folder.

import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { OK } from '../core/result.ts'
import { makeRoom } from './unix-socket.ts'

test('a socket without a listener is removed, one with a listener and a file are not', async () => {
  const folder = mkdtempSync(`${tmpdir()}/comet-socket-`)
  const path = `${folder}/x.sock`
  expect(await makeRoom(path)).toEqual(OK)
  const server = Bun.spawn(
    [
      process.execPath,
      '-e',
      `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); console.log(1)`,
    ],
    { stdout: 'pipe' },
  )
  await server.stdout.getReader().read()
  expect(await makeRoom(path)).toMatchObject({ ok: false, why: expect.stringContaining('in use') })
  server.kill('SIGKILL')
  await server.exited
  expect(existsSync(path)).toBe(true)
  expect(await makeRoom(path)).toEqual(OK)
  expect(existsSync(path)).toBe(false)
  writeFileSync(path, 'mine')
  expect(await makeRoom(path)).toMatchObject({
    ok: false,
    why: expect.stringContaining('no socket'),
  })
  rmSync(folder, { recursive: true })
})
