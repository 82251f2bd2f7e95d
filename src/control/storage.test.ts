// Goal: a database that takes no changes is told of until it does. Method: one that is told what to
// do.

import { SQLiteError } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { Log } from '../core/log.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { Storage } from './storage.ts'

function errorOf(code: string): SQLiteError {
  return Object.assign(Object.create(SQLiteError.prototype), { code, message: code })
}

function storage() {
  const events: string[] = []
  const write = (line: string) => events.push(JSON.parse(line).event) > 0
  const log = new Log({ format: 'json', clock: new FakeClock(), write })
  const disk = { error: null as SQLiteError | null }
  return { disk, events, storage: new Storage({ tryWrite: () => disk.error }, log) }
}

test('a full disk is told of, and the server is well again when there is room', async () => {
  const { disk, events, storage: watched } = storage()
  disk.error = errorOf('SQLITE_FULL')
  watched.onError(disk.error)
  expect([watched.isFailing, events]).toEqual([true, ['storage_failed']])
  disk.error = null
  await until('it is well', () => !watched.isFailing)
  expect(events).toEqual(['storage_failed', 'storage_works'])
})

test('what is no matter of the disk is a bug', () => {
  const { events, storage: watched } = storage()
  watched.onError(errorOf('SQLITE_MISUSE'))
  expect([watched.isFailing, events]).toEqual([false, ['bug']])
})
