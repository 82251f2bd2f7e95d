// Goal: a reader that has missed nothing of what has left the window has no gap after a start, also
// after a kill; and none misses anything unknown. Method: real files: whole, damaged, of other
// times.

import { expect, test } from 'bun:test'
import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { canMount, mountSmallDisk, UNLESS_MOUNT } from '../../scripts/support/disk.ts'
import { NOBODY } from './heads.ts'
import { about, allOf, LogFolder, missed, reader, user } from './log.fixture.ts'
import type { MessageLog } from './message-log.ts'

const [ALICE, BOB, ROOM, OTHER] = [1, 2, 100, 101]
const USERS = [ALICE, BOB, 3]

/** Of a log from which a message about the room has gone. */
function withoutRoom(folder: LogFolder): MessageLog {
  const { log } = folder.open({ bytes: 400 })
  log.append(about(ROOM, 'x'))
  log.appendFollow(user(BOB), user(OTHER), true)
  log.appendBarrier()
  for (let at = 0; at < 30; at++) log.append(about(OTHER, 'x'.repeat(24)))
  return log
}

test('after a log was closed, only who has missed what left its window has a gap', () => {
  using folder = new LogFolder()
  const first = withoutRoom(folder)
  first.close()
  const second = folder.open({ bytes: 400, bootId: 'the next start' }).log
  for (const log of [first, second]) {
    expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('lost')
    expect(missed(log, reader(ALICE, [ROOM]), 1)).toEqual([])
    expect(missed(log, reader(ALICE, [OTHER]), log.oldest - 2)).toBe('lost')
    expect(missed(log, reader(ALICE, [3]), 0)).toEqual([])
    // What Bob followed before the barrier does not count.
    expect(missed(log, reader(BOB, [3]), 0)).toEqual([])
    expect(missed(log, reader(ALICE, [NOBODY + 1]), 0)).toEqual([])
  }
})

test('a file of heads that is damaged or of another time is no use, and does no harm', () => {
  using folder = new LogFolder()
  const first = withoutRoom(folder)
  first.close()
  const [heads, log] = [`${folder.path}-heads`, readFileSync(folder.path)]
  const bytes = readFileSync(heads)
  const others: Buffer[] = [Buffer.alloc(0), Buffer.alloc(5_000), bytes.subarray(0, -4)]
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
    others.push(damaged)
  }
  for (const other of others) {
    writeFileSync(folder.path, log)
    writeFileSync(heads, other)
    const again = folder.open({ bytes: 400 }).log
    expect([again.epoch, again.last]).toEqual([first.epoch, first.last])
    expect(missed(again, reader(ALICE, [3]), 0)).toBe('lost')
    expect(missed(again, reader(ALICE, [3]), again.oldest - 1)).toEqual([])
  }
  // Beside a log that went on until its window was another, and one that is older.
  writeFileSync(folder.path, log)
  writeFileSync(heads, bytes)
  const later = folder.open({ bytes: 400 }).log
  for (let at = 0; at < 30; at++) later.append(about(ROOM, 'y'.repeat(24)))
  const last = folder.open({ bytes: 400 }).log
  expect(missed(last, reader(ALICE, [3]), 0)).toBe('lost')
  last.close()
  writeFileSync(folder.path, log)
  const older = folder.open({ bytes: 400 }).log
  expect(missed(older, reader(ALICE, [3]), 0)).toBe('lost')
  expect(readdirSync(folder.folder)).toEqual(['comet.db-log'])
})

test('a log that goes on while it is killed knows what had left its window', () => {
  using folder = new LogFolder()
  const names = new Map([[NOBODY + 1, 'gone']])
  const nameOf = (handle: number) => names.get(handle) ?? ''
  const first = folder.open({ bytes: 400, nameOf }).log
  first.append(about(ROOM, 'x'))
  first.append(about(NOBODY + 1, 'x', { name: 'gone' }))
  for (let at = 0; at < 30; at++) first.append(about(OTHER, 'x'.repeat(24)))
  first.onNameFreed(NOBODY + 1)
  // Some tables, a part of each at a time.
  for (let at = 0; at < 20; at++) first.maintain()
  first.append(about(OTHER, 'y'))
  names.clear()
  names.set(NOBODY + 7, 'gone')
  names.set(NOBODY + 8, 'other')
  const second = folder.open({ bytes: 400, nameOf }).log
  expect([second.epoch, second.last]).toEqual([first.epoch, first.last])
  for (const log of [first, second]) {
    expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('lost')
    expect(missed(log, reader(ALICE, [ROOM]), 1)).toEqual([])
    expect(missed(log, reader(ALICE, [NOBODY + 7]), 1)).toBe('lost')
    expect(missed(log, reader(ALICE, [NOBODY + 7]), 2)).toEqual([])
    expect(missed(log, reader(ALICE, [3, NOBODY + 8]), 0)).toEqual([])
  }
  // The next kill comes before another file was written.
  const third = folder.open({ bytes: 400, nameOf }).log
  expect(missed(third, reader(ALICE, [ROOM]), 1)).toEqual([])
})

test('a pipe in the place of what is kept beside the file keeps neither start nor stop waiting', () => {
  using folder = new LogFolder()
  withoutRoom(folder)
  const again = folder.open({ bytes: 400 })
  const before = allOf(again.log, USERS, [ROOM])
  again.log.close()
  const heads = `${folder.path}-heads`
  rmSync(heads)
  expect(Bun.spawnSync(['mkfifo', heads]).exitCode).toBe(0)
  const opened = folder.open({ bytes: 400 })
  expect([opened.note, allOf(opened.log, USERS, [ROOM])]).toEqual([null, before])
  Bun.spawnSync(['mkfifo', heads])
  opened.log.close()
  expect(lstatSync(heads).isFile()).toBe(true)
})

test.skipIf(!canMount)(
  `a log goes on while the disk has no room for its heads ${UNLESS_MOUNT}`,
  async () => {
    await using disk = await mountSmallDisk()
    using folder = new LogFolder()
    const path = `${disk.path}/comet.db-log`
    const { log } = folder.open({ path, bytes: 400 })
    await disk.fill(0)
    log.append(about(ROOM, 'x'))
    for (let at = 0; at < 200; at++) {
      log.append(about(OTHER, 'x'.repeat(24)))
      log.maintain()
    }
    expect(readdirSync(disk.path)).not.toContain('comet.db-log-heads')
    await disk.free()
    for (let at = 0; at < 200; at++) log.append(about(OTHER, 'x'.repeat(24)))
    for (let at = 0; at < 40; at++) log.maintain()
    expect(readdirSync(disk.path)).toContain('comet.db-log-heads')
    const again = folder.open({ path, bytes: 400 }).log
    expect(missed(again, reader(ALICE, [3]), 0)).toEqual([])
    expect(missed(again, reader(ALICE, [ROOM]), 0)).toBe('lost')
    // At the end there is no room for a newer file: the one that is there counts as long as it can.
    await disk.fill(0)
    again.append(about(BOB, 'y'))
    again.close()
    const last = folder.open({ path, bytes: 400 }).log
    expect(missed(last, reader(ALICE, [3]), 0)).toEqual([])
    expect(missed(last, reader(ALICE, [ROOM]), 0)).toBe('lost')
  },
)
