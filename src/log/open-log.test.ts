// Goal: a log goes on where it was, or begins anew and says why; whatever its file is. Method: real
// files, as they are after a stop, a kill, a crash of the machine, and damage.

import { expect, test } from 'bun:test'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { canMount, mountSmallDisk, UNLESS_MOUNT } from '../../scripts/support/disk.ts'
import { randomFrom } from '../core/random.ts'
import { NOBODY } from './heads.ts'
import { about, allOf, LogFolder, missed, reader, to, toEveryone, user } from './log.fixture.ts'
import type { MessageLog } from './message-log.ts'

const [ALICE, BOB, ROOM, OTHER] = [1, 2, 100, 101]
const USERS = [ALICE, BOB, 3]

function fill(log: MessageLog, count: number): void {
  for (let at = 0; at < count; at++) {
    log.append(about(at % 3 === 0 ? ROOM : OTHER, `message ${at}`, { event: 'e', key: `${at}` }))
    if (at % 5 === 0) log.append(to(ALICE, `to ${at}`))
    if (at % 7 === 0) log.appendFollow(user(BOB), user(ROOM), at % 2 === 0)
    if (at % 11 === 0) log.append(toEveryone(`to everyone ${at}`))
    if (at === 60) log.appendBarrier()
  }
}

/** All that readers can see of it. */
function seen(log: MessageLog) {
  return allOf(log, USERS, [ROOM])
}

test('a log that was closed goes on where it was', () => {
  using folder = new LogFolder()
  const first = folder.open()
  expect(first.note).toBeNull()
  fill(first.log, 200)
  const before = seen(first.log)
  first.log.close()
  const second = folder.open()
  expect(second.note).toBeNull()
  expect(seen(second.log)).toEqual(before)
  expect(second.log.append(about(ROOM, 'next'))).toBe(before.last + 1)
})

test('a log that was not closed goes on, too, while the machine did not stop', () => {
  using folder = new LogFolder()
  const first = folder.open()
  fill(first.log, 200)
  const second = folder.open()
  expect(second.note).toBeNull()
  expect(seen(second.log)).toEqual(seen(first.log))
})

test('a file is readable by its owner alone', () => {
  using folder = new LogFolder()
  folder.open()
  expect(statSync(folder.path).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder.folder)).toEqual(['comet.db-log'])
})

test('a log that was closed survives a restart of the machine, and one that was not does not', () => {
  using folder = new LogFolder()
  const first = folder.open().log
  fill(first, 20)
  first.close()
  const second = folder.open({ bootId: 'the next start' })
  expect([second.note, second.log.epoch, second.log.last]).toEqual([null, first.epoch, first.last])
  const third = folder.open({ bootId: 'the one after it' })
  expect(third.note).toMatch(
    /comet\.db-log was open when the machine stopped; the log begins anew$/,
  )
  expect(third.log.last).toBe(0)
  expect(third.log.epoch).toBeGreaterThan(first.epoch)
})

test('where the machine has no id of its starts, only a log that was closed counts', () => {
  using folder = new LogFolder()
  const first = folder.open({ bootId: '' }).log
  fill(first, 20)
  expect(folder.open({ bootId: '' }).log.last).toBe(0)
})

test('an epoch is higher than that before it, also if the clock goes back', () => {
  using folder = new LogFolder()
  folder.clock.advance(10_000_000)
  const { epoch } = folder.open().log
  expect(epoch).toBe(Math.floor(folder.clock.nowMs()))
  folder.clock.advance(-5_000_000)
  expect(folder.open({ bootId: 'b' }).log.epoch).toBe(epoch + 1)
  expect(folder.open({ bootId: 'c' }).log.epoch).toBe(epoch + 2)
})

test('what had left the window before a start is a gap for whom it may matter', () => {
  using folder = new LogFolder()
  const first = folder.open({ bytes: 400 }).log
  for (let at = 0; at < 30; at++) first.append(about(OTHER, 'x'.repeat(24)))
  const oldest = first.oldest
  const second = folder.open({ bytes: 400 }).log
  expect(missed(second, reader(ALICE, [ROOM]), oldest - 2)).toBe('lost')
  expect(missed(second, reader(ALICE, [ROOM]), oldest - 1)).toEqual([])
})

test('names have the handles of the new process', () => {
  using folder = new LogFolder()
  const first = folder.open().log
  first.append(about(NOBODY + 1, 'x', { name: 'room' }))
  first.appendFollow(user(NOBODY + 2, 'alice'), user(NOBODY + 1, 'room'), false)
  first.append(to(NOBODY + 3, 'y', { name: 'bob' }))
  const handles = new Map([
    ['bob', NOBODY + 1],
    ['room', NOBODY + 8],
    ['alice', NOBODY + 9],
  ])
  const { log } = folder.open({ intern: (name) => handles.get(name) ?? null })
  expect(missed(log, reader(NOBODY + 9), 0)).toEqual(['x'])
  expect(missed(log, reader(NOBODY + 1), 0)).toEqual(['y'])
  expect([8, 9, 1, 2, 3].map((at) => log.refersTo(NOBODY + at))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
  expect([log.read(1).target, log.read(1).name]).toEqual([NOBODY + 8, 'room'])
})

test('a name for which there is no room has no chain, and whom it may concern has a gap', () => {
  using folder = new LogFolder()
  const first = folder.open().log
  first.append(about(NOBODY + 1, 'x', { name: 'room' }))
  first.appendFollow(user(ALICE), user(NOBODY + 1, 'room'), true)
  first.append(to(BOB, 'y'))
  const { log } = folder.open()
  expect(missed(log, reader(ALICE), 0)).toBe('lost')
  expect(missed(log, reader(BOB), 0)).toEqual(['y'])
  // It may get a handle later.
  expect(missed(log, reader(BOB, [NOBODY + 5]), 0)).toBe('lost')
  expect(missed(log, reader(BOB, [NOBODY + 5]), 1)).toEqual(['y'])
})

test('a log with another length keeps the entries that fit, and its epoch', () => {
  using folder = new LogFolder()
  const first = folder.open({ bytes: 4_096 }).log
  fill(first, 200)
  const larger = folder.open({ bytes: 8_192 })
  expect(larger.note).toBe(`${folder.path} keeps 8KiB from now on`)
  expect(seen(larger.log)).toEqual(seen(first))
  fill(larger.log, 200)
  const smaller = folder.open({ bytes: 1_024 }).log
  expect([smaller.epoch, smaller.last]).toEqual([first.epoch, larger.log.last])
  expect(smaller.oldest).toBeGreaterThan(larger.log.oldest)
  expect(smaller.read(smaller.oldest)).toEqual(larger.log.read(smaller.oldest))
  const none = folder.open({ bytes: 0 }).log
  expect([none.epoch, none.last, none.oldest]).toEqual([
    first.epoch,
    smaller.last,
    smaller.last + 1,
  ])
  expect(none.append(about(ROOM, 'x'))).toBe(smaller.last + 1)
  const again = folder.open({ bytes: 4_096 }).log
  expect([again.epoch, again.last]).toEqual([first.epoch, none.last])
  expect(again.append(about(ROOM, 'x'))).toBe(smaller.last + 2)
  expect(readdirSync(folder.folder)).toEqual(['comet.db-log'])
})

/** Opens a damaged file. Either all is as before, or nothing is left of it. */
function expectSameOrNothing(folder: LogFolder, before: ReturnType<typeof seen>): boolean {
  const { log, note } = folder.open()
  if (log.epoch === before.epoch) {
    expect([note, seen(log)]).toEqual([null, before])
    return true
  }
  expect(log.epoch).toBeGreaterThan(before.epoch)
  expect([log.last, typeof note]).toEqual([0, 'string'])
  return false
}

function prepared(folder: LogFolder) {
  const { log } = folder.open()
  fill(log, 150)
  return { before: seen(log), bytes: readFileSync(folder.path) }
}

/** Bytes of the header that mean something. */
const MEANING = [
  ...Array.from({ length: 112 }, (_, at) => at),
  ...Array.from({ length: 12 }, (_, at) => 4_000 + at),
]

test('a header with a wrong bit anywhere begins a new epoch, or changes nothing', () => {
  using folder = new LogFolder()
  const { before, bytes } = prepared(folder)
  let same = 0
  for (const at of MEANING) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
    writeFileSync(folder.path, damaged)
    if (expectSameOrNothing(folder, before)) same++
  }
  // The copy of the epoch, and the oldest entry before the last one.
  expect(same).toBeLessThanOrEqual(12 + 16 + 4)
})

test('wrong bits in entries are found, or are where nothing is', () => {
  using folder = new LogFolder()
  const { before, bytes } = prepared(folder)
  const random = randomFrom(20_261_130)
  let found = 0
  for (let round = 0; round < 150; round++) {
    const damaged = Buffer.from(bytes)
    const at = 4_096 + random(damaged.length - 4_096)
    damaged[at] = (damaged[at] as number) ^ (1 << random(8))
    writeFileSync(folder.path, damaged)
    if (!expectSameOrNothing(folder, before)) found++
  }
  // Of each entry, 4 of about 30 bytes are written anew.
  expect(found).toBeGreaterThan(100)
})

test('a file of another length than its own begins a new epoch', () => {
  using folder = new LogFolder()
  const { before, bytes } = prepared(folder)
  const { length } = bytes
  for (const other of [0, 1, 4_095, 4_096, 4_097, 6_000, length - 1, length + 1, length + 4_096]) {
    writeFileSync(folder.path, bytes)
    truncateSync(folder.path, other)
    const { log, note } = folder.open()
    expect([other, log.last, note]).toEqual([other, 0, expect.stringMatching(/damaged/)])
    expect(log.epoch > before.epoch || other < 4_096).toBe(true)
    fill(log, 10)
  }
})

test('a file of another version begins a new epoch', () => {
  using folder = new LogFolder()
  const { before, bytes } = prepared(folder)
  bytes.writeUInt32LE(2, 8)
  writeFileSync(folder.path, bytes)
  const { log, note } = folder.open()
  expect(note).toMatch(/of another version of comet; the log begins anew$/)
  expect(log.epoch).toBeGreaterThan(before.epoch)
})

test.each<[string, (folder: LogFolder) => void, RegExp]>([
  ['a folder', ({ path }) => mkdirSync(path), /is no file; the log is in memory/],
  [
    'a text',
    ({ path }) => writeFileSync(path, 'GET / 200\n'.repeat(900)),
    /is no log of comet, and is left as it is; the log is in memory/,
  ],
  ['a link to itself', ({ path }) => symlinkSync(path, path), /\(ELOOP\); the log is in memory/],
])('where there is %s, the log is in memory, and what is there stays', (_, make, expected) => {
  using folder = new LogFolder()
  make(folder)
  const { mode, mtimeMs } = lstatSync(folder.path)
  const { log, note } = folder.open()
  expect(note).toMatch(expected)
  fill(log, 10)
  log.close()
  expect(lstatSync(folder.path)).toMatchObject({ mode, mtimeMs })
})

test.skipIf(!canMount)(`a log that cannot be written is in memory ${UNLESS_MOUNT}`, async () => {
  await using disk = await mountSmallDisk()
  using folder = new LogFolder()
  const path = `${disk.path}/comet.db-log`
  folder.clock.advance(1_000_000)
  const { epoch } = folder.open().log
  expect(Bun.spawnSync(['cp', folder.path, path]).success).toBe(true)
  expect(Bun.spawnSync(['mount', '-o', 'remount,ro', disk.path]).success).toBe(true)
  folder.clock.advance(-1_000_000)
  const { log, note } = folder.open({ path })
  expect(note).toBe(
    `${path} cannot be read and written (EROFS); ` +
      'the log is in memory, and ends with this process',
  )
  expect(log.epoch).toBe(epoch + 1)
})

test.skipIf(!canMount)(
  `where the disk has no room, the log is in memory ${UNLESS_MOUNT}`,
  async () => {
    await using disk = await mountSmallDisk()
    await disk.fill(3)
    using folder = new LogFolder()
    const path = `${disk.path}/comet.db-log`
    const { log, note } = folder.open({ path, bytes: 64 * 1_024 })
    expect(note).toBe(
      `${path} cannot be made: there is no room on its disk; ` +
        'the log is in memory, and ends with this process',
    )
    fill(log, 100)
    expect(missed(log, reader(ALICE), log.last - 1)).toBeArray()
    expect(readdirSync(disk.path)).toEqual(['filler'])
  },
)

test.skipIf(!canMount)(
  `a log has its room, however full the disk is later ${UNLESS_MOUNT}`,
  async () => {
    await using disk = await mountSmallDisk()
    using folder = new LogFolder()
    const path = `${disk.path}/comet.db-log`
    const { log } = folder.open({ path, bytes: 256 * 1_024 })
    await disk.fill(0)
    // Each page of it is written.
    for (let at = 0; at < 6; at++) log.append(about(ROOM, 'x'.repeat(60_000)))
    const again = folder.open({ path, bytes: 256 * 1_024 }).log
    expect([again.last, again.oldest]).toEqual([log.last, log.oldest])
  },
)

test.skipIf(!canMount)(
  `a log that is to be longer than there is room begins anew ${UNLESS_MOUNT}`,
  async () => {
    await using disk = await mountSmallDisk()
    using folder = new LogFolder()
    const path = `${disk.path}/comet.db-log`
    const first = folder.open({ bytes: 400 * 1_024 }).log
    fill(first, 10)
    first.close()
    // By another process, so that it is not mapped into this one.
    expect(Bun.spawnSync(['cp', folder.path, path]).success).toBe(true)
    // Beside the other there is no room for it, and alone there is.
    const second = folder.open({ path, bytes: 700 * 1_024 })
    expect(second.note).toBe(
      `${path} cannot be used: there is no room on its disk; the log begins anew`,
    )
    expect([second.log.epoch, second.log.last]).toEqual([first.epoch + 1, 0])
    expect(readdirSync(disk.path)).toEqual(['comet.db-log'])
  },
)

test('a log with another length still has all changes of who follows whom', () => {
  using folder = new LogFolder()
  const first = folder.open().log
  fill(first, 10)
  first.setFollowsStamp(5)
  const longer = folder.open({ bytes: 8_192 }).log
  expect(longer.followsStamp).toBe(5)
  longer.close()
  expect(folder.open({ bytes: 4_096 }).log.followsStamp).toBe(5)
})
