// Goal: readers get what they have missed, each message once and in order, or are told of a gap.
// Method: small logs, whose window is known.

import { expect, test } from 'bun:test'
import { historyLimits } from '../core/history-limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { NOBODY } from './heads.ts'
import { about, bodies, missed, reader, to, toEveryone, user } from './log.fixture.ts'
import { memoryLog } from './ring-log.ts'

const [ALICE, BOB, ROOM, OTHER] = [1, 2, 100, 101]

test('an empty log has no entry, and nobody has missed anything', () => {
  const log = memoryLog({ bytes: 1_000, epoch: 7 })
  expect([log.epoch, log.last, log.oldest]).toEqual([7, 0, 1])
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toEqual([])
  expect(log.newestFor(reader(ALICE, [ROOM]), 10)).toEqual([])
})

test('a reader gets what is about it, to it, to everyone and about what it follows, in order', () => {
  const log = memoryLog({ bytes: 10_000 })
  log.append(about(ROOM, 'one'))
  log.append(to(ALICE, 'two'))
  log.append(about(OTHER, 'not for Alice'))
  log.append(toEveryone('three'))
  log.append(to(BOB, 'not for Alice either'))
  log.append(about(ALICE, 'four'))
  log.append(about(ROOM, 'five'))
  const alice = reader(ALICE, [ROOM])
  expect(missed(log, alice, 0)).toEqual(['one', 'two', 'three', 'four', 'five'])
  expect(missed(log, alice, 4)).toEqual(['four', 'five'])
  expect(missed(log, alice, 7)).toEqual([])
})

test('a message that reaches a reader in several ways is there once', () => {
  const log = memoryLog({ bytes: 10_000 })
  log.append(about(ALICE, 'one'))
  log.append(about(ROOM, 'two'))
  expect(missed(log, reader(ALICE, [ROOM], [ROOM, ALICE]), 0)).toEqual(['one', 'two'])
})

test('a message is read as it was added', () => {
  const log = memoryLog({ bytes: 10_000 })
  const message = about(2 ** 31 + 5, '{"a":1}', {
    event: 'e',
    isJson: true,
    name: 'room:1',
    key: 'clé 🔑',
  })
  log.append(about(ROOM, 'x'))
  const { bytes, ...rest } = log.read(log.append(message))
  expect(Buffer.from(bytes).toString()).toBe('{"a":1}')
  expect(rest).toEqual({
    ...{ number: 2, isAbout: true, target: 2 ** 31 + 5 },
    ...{ event: 'e', isJson: true, name: 'room:1', key: 'clé 🔑' },
  })
})

test('several messages are added at once as they are one after the other', () => {
  const log = memoryLog({ bytes: 10_000 })
  expect(log.appendAll([about(ROOM, 'a'), to(ALICE, 'b'), toEveryone('c')])).toBe(3)
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toEqual(['a', 'b', 'c'])
})

test('what is no message, or is not kept, is not read', () => {
  const log = memoryLog({ bytes: 100 })
  const change = log.appendFollow(user(ALICE), user(ROOM), true)
  expect(() => log.read(change)).toThrow('no message')
  expect(() => log.read(change + 1)).toThrow('not one of those from 1 to 1')
  for (let at = 0; at < 10; at++) log.append(about(ROOM, 'x'.repeat(20)))
  expect(() => log.read(change)).toThrow('not one of those')
})

test('a key longer than 255 bytes, or a body that is far too long, is a bug', () => {
  const log = memoryLog({ bytes: 1_000_000 })
  expect(() => log.append(about(ROOM, 'x', { key: 'ä'.repeat(128) }))).toThrow('too long')
  expect(() => log.append(about(ROOM, 'x'.repeat(2 ** 17)))).toThrow('too long')
  expect(log.append(about(ROOM, 'x', { key: 'ä'.repeat(127) }))).toBe(1)
})

test('only who has missed what left the window is told of a gap', () => {
  // Each entry takes 40 bytes.
  const log = memoryLog({ bytes: 400 })
  const body = 'x'.repeat(24)
  log.append(about(ROOM, body))
  for (let at = 0; at < 30; at++) log.append(about(OTHER, body))
  expect([log.oldest, log.last]).toEqual([22, 31])
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('lost')
  expect(missed(log, reader(ALICE, [ROOM]), 1)).toEqual([])
  expect(missed(log, reader(ALICE, [OTHER]), 20)).toBe('lost')
  expect(missed(log, reader(ALICE, [OTHER]), 21)).toHaveLength(10)
})

test('a log without a window gives numbers, and tells exactly who has a gap', () => {
  const log = memoryLog({ bytes: 0 })
  expect(log.append(about(ROOM, 'x'))).toBe(1)
  expect(log.append(to(BOB, 'x'))).toBe(2)
  expect([log.oldest, log.last]).toEqual([3, 2])
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('lost')
  expect(missed(log, reader(ALICE, [ROOM]), 1)).toEqual([])
  expect(missed(log, reader(BOB), 1)).toBe('lost')
  expect(log.newestFor(reader(BOB), 10)).toEqual([])
})

test('an entry that is longer than the window empties it, and has a number', () => {
  const log = memoryLog({ bytes: 100 })
  log.append(about(ROOM, 'x'))
  expect(log.append(about(ROOM, 'x'.repeat(100)))).toBe(2)
  expect([log.oldest, log.last]).toEqual([3, 2])
  expect(missed(log, reader(ALICE, [ROOM]), 1)).toBe('lost')
  log.append(about(ROOM, 'y'))
  expect(missed(log, reader(ALICE, [ROOM]), 2)).toEqual(['y'])
})

test('a reader gets of a subject what came while it followed it', () => {
  const log = memoryLog({ bytes: 10_000 })
  log.append(about(ROOM, 'before'))
  log.appendFollow(user(ALICE), user(ROOM), true)
  log.append(about(ROOM, 'while'))
  log.appendFollow(user(ALICE), user(ROOM), false)
  log.append(about(ROOM, 'after'))
  expect(missed(log, reader(ALICE), 0)).toEqual(['while'])
  expect(missed(log, reader(ALICE), 3)).toEqual([])
  log.appendFollow(user(ALICE), user(ROOM), true)
  log.append(about(ROOM, 'again'))
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toEqual(['while', 'again'])
  // What a stream follows for itself, it follows all the time.
  const all = ['before', 'while', 'after', 'again']
  expect(missed(log, reader(ALICE, [ROOM], [ROOM]), 0)).toEqual(all)
})

test('messages that were lost are a gap only if they came while the reader followed', () => {
  // An entry of 24 bytes takes 40, and a change 20.
  const log = memoryLog({ bytes: 200 })
  const body = 'x'.repeat(24)
  log.append(about(ROOM, body))
  for (let at = 0; at < 4; at++) log.append(about(OTHER, body))
  log.appendFollow(user(ALICE), user(ROOM), true)
  expect(log.oldest).toBe(2)
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toEqual([])
  log.appendFollow(user(BOB), user(ROOM), false)
  expect(missed(log, reader(BOB), 0)).toBe('lost')
})

test('a change that was lost is a gap for its user alone', () => {
  const log = memoryLog({ bytes: 200 })
  log.appendFollow(user(ALICE), user(ROOM), true)
  for (let at = 0; at < 10; at++) log.append(about(OTHER, 'x'.repeat(24)))
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('lost')
  expect(missed(log, reader(ALICE, [ROOM]), 1)).toEqual([])
  expect(missed(log, reader(BOB, [ROOM]), 0)).toEqual([])
})

test('before a barrier counts what was followed just after it', () => {
  const log = memoryLog({ bytes: 10_000 })
  log.appendFollow(user(ALICE), user(ROOM), true)
  log.append(about(ROOM, 'before'))
  log.append(about(OTHER, 'before, too'))
  log.appendBarrier()
  log.append(about(ROOM, 'between'))
  log.append(about(OTHER, 'between, too'))
  // After the barrier it followed the other one alone, until now.
  log.appendFollow(user(ALICE), user(ROOM), true)
  log.append(about(ROOM, 'after'))
  const alice = reader(ALICE, [ROOM, OTHER])
  expect(missed(log, alice, 0)).toEqual(['before, too', 'between, too', 'after'])
  expect(missed(log, alice, 4)).toEqual(['between, too', 'after'])
})

test('more than 8,192 messages are too many', () => {
  const log = memoryLog({ bytes: 2_000_000 })
  for (let at = 0; at < historyLimits.messagesMax; at++) log.append(about(ROOM, 'x'))
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toHaveLength(8_192)
  log.append(to(ALICE, 'x'))
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('too_many')
  expect(missed(log, reader(ALICE, [ROOM]), 1)).toHaveLength(8_192)
  expect(log.newestFor(reader(ALICE, [ROOM]), 50_000)).toHaveLength(8_192)
})

test('more than a mebibyte of bodies is too many', () => {
  const log = memoryLog({ bytes: 2 ** 22 })
  for (let at = 0; at < 16; at++) log.append(about(ROOM, 'x'.repeat(65_536)))
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toHaveLength(16)
  log.append(about(ROOM, 'y', { event: 'texts-do-not-count' }))
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('too_many')
  expect(log.newestFor(reader(ALICE, [ROOM]), 17)).toHaveLength(16)
})

test('very many changes of what a user follows are too many', () => {
  const log = memoryLog({ bytes: 2 ** 20 })
  for (let at = 0; at <= historyLimits.changesMax; at++) {
    log.appendFollow(user(ALICE), user(ROOM), at % 2 === 0)
  }
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toBe('too_many')
  expect(missed(log, reader(ALICE, [ROOM]), 1)).toEqual([])
})

test('a reader of thousands of subjects gets the same as by following each', () => {
  const log = memoryLog({ bytes: 2 ** 20 })
  for (let at = 0; at < 6_000; at++) log.append(about(at, String(at)))
  log.append(to(ALICE, 'to Alice'))
  log.append(toEveryone('to everyone'))
  const after = 2_500
  const some = Array.from({ length: 500 }, (_, at) => after + at)
  const others = Array.from({ length: 2 * historyLimits.scanSubjectsMin }, (_, at) => 10_000 + at)
  const entries = log.last - after
  expect(entries).toBeGreaterThan(some.length * historyLimits.scanRatio)
  const walked = missed(log, reader(ALICE, some), after)
  expect(walked).toHaveLength(502)
  const many = [...some, ...others, ...others.map((one) => one * 2)]
  expect(entries).toBeLessThan(many.length * historyLimits.scanRatio)
  expect(missed(log, reader(ALICE, many), after)).toEqual(walked)
})

test('the newest messages are merged from all that a reader follows, up to as many as wanted', () => {
  const log = memoryLog({ bytes: 10_000 })
  for (const text of ['1', '2', '3', '4', '5', '6']) {
    log.append(about(Number(text) % 2 === 0 ? ROOM : OTHER, text))
  }
  log.append(to(ALICE, '7'))
  const alice = reader(ALICE, [ROOM, OTHER], [ROOM])
  expect(bodies(log, log.newestFor(alice, 3))).toEqual(['5', '6', '7'])
  expect(bodies(log, log.newestFor(alice, 100))).toEqual(['1', '2', '3', '4', '5', '6', '7'])
  expect(log.newestFor(alice, 0)).toEqual([])
})

test('numbers go on beyond 32 bits', () => {
  const log = memoryLog({ bytes: 1_000, first: 2 ** 32 - 3 })
  for (let at = 0; at < 6; at++) log.append(about(ROOM, String(at)))
  expect(log.last).toBe(2 ** 32 + 2)
  const all = ['0', '1', '2', '3', '4', '5']
  expect(missed(log, reader(ALICE, [ROOM]), 2 ** 32 - 4)).toEqual(all)
  expect(missed(log, reader(ALICE, [ROOM]), 2 ** 32)).toEqual(['4', '5'])
})

test('a name without a handle has no chain, and its readers a gap up to its messages', () => {
  const log = memoryLog({ bytes: 10_000, nameOf: String })
  const named = NOBODY + 1
  log.append(about(NOBODY, 'x', { name: 'no room for this name' }))
  expect(log.refersTo(NOBODY)).toBe(false)
  expect(missed(log, reader(ALICE, [named]), 0)).toBe('lost')
  expect(missed(log, reader(ALICE, [named]), 1)).toEqual([])
  expect(missed(log, reader(ALICE, [ROOM]), 0)).toEqual([])
  log.appendFollow(user(ALICE), user(NOBODY, 'nor for this'), true)
  expect(missed(log, reader(ALICE, [ROOM]), 1)).toBe('lost')
  expect(missed(log, reader(ALICE, [ROOM]), 2)).toEqual([])
})

test('a handle is referred to by messages, users and subjects of changes while they are kept', () => {
  const [target, follower, followed] = [NOBODY + 1, NOBODY + 2, NOBODY + 3]
  const log = memoryLog({ bytes: 200 })
  log.append(to(target, 'x', { name: 't' }))
  log.appendFollow(user(follower, 'u'), user(followed, 's'), true)
  for (const one of [target, follower, followed]) expect(log.refersTo(one)).toBe(true)
  expect(log.refersTo(NOBODY + 4)).toBe(false)
  for (let at = 0; at < 10; at++) log.append(about(OTHER, 'x'.repeat(24)))
  for (const one of [target, follower, followed]) expect(log.refersTo(one)).toBe(false)
})

test('a handle that was freed brings the next name nothing of the one before', () => {
  const [handle, next] = [NOBODY + 1, NOBODY + 2]
  const names = new Map([[handle, 'old']])
  const log = memoryLog({ bytes: 200, nameOf: (id) => names.get(id) ?? '' })
  log.append(about(handle, 'x', { name: 'old' }))
  for (let at = 0; at < 10; at++) log.append(about(OTHER, 'x'.repeat(24)))
  log.onNameFreed(handle)
  names.set(handle, 'new').set(next, 'old')
  log.append(about(handle, 'y', { name: 'new' }))
  expect(missed(log, reader(ALICE, [handle]), 0)).toEqual(['y'])
  // The old one has another handle now, and has missed what it had missed before.
  expect(missed(log, reader(ALICE, [next]), 0)).toBe('lost')
  expect(missed(log, reader(ALICE, [next]), 1)).toEqual([])
  log.append(about(next, 'z', { name: 'old' }))
  expect(missed(log, reader(ALICE, [next]), 0)).toBe('lost')
  expect(missed(log, reader(ALICE, [next]), 1)).toEqual(['z'])
})

test('what a user followed before its handle was freed is lost, as before it was', () => {
  const handle = NOBODY + 1
  const log = memoryLog({ bytes: 200, nameOf: () => 'alice' })
  log.appendFollow(user(handle, 'alice'), user(ROOM), true)
  log.appendFollow(user(handle, 'alice'), user(ROOM), false)
  for (let at = 0; at < 10; at++) log.append(about(OTHER, 'x'.repeat(24)))
  log.onNameFreed(handle)
  expect(missed(log, reader(handle), 0)).toBe('lost')
  expect(missed(log, reader(handle), 2)).toEqual([])
})

test('a name that a reader followed may be one that had another handle then', () => {
  const [old, now] = [NOBODY + 1, NOBODY + 2]
  const log = memoryLog({ bytes: 200, nameOf: () => 'room' })
  log.append(about(old, 'x', { name: 'room' }))
  for (let at = 0; at < 10; at++) log.append(about(OTHER, 'x'.repeat(24)))
  log.onNameFreed(old)
  log.appendFollow(user(ALICE), user(now, 'room'), false)
  log.appendFollow(user(BOB), user(now, 'room'), true)
  expect(missed(log, reader(ALICE), 0)).toBe('lost')
  expect(missed(log, reader(ALICE), 1)).toEqual([])
  expect(missed(log, reader(BOB, [now]), 0)).toEqual([])
})

test('messages with keys are found again by when they were added', () => {
  const clock = new FakeClock(5_000)
  const log = memoryLog({ bytes: 10_000, clock })
  log.append(about(ROOM, 'x', { key: 'old' }))
  log.append(about(ROOM, 'x'))
  clock.advance(10_000)
  log.append(about(NOBODY + 1, 'x', { name: 'n', event: 'e', key: 'new' }))
  expect([...log.keyedSince(0)]).toEqual([
    { number: 1, key: 'old', seconds: 5 },
    { number: 3, key: 'new', seconds: 15 },
  ])
  expect([...log.keyedSince(15)]).toEqual([{ number: 3, key: 'new', seconds: 15 }])
})

test('an empty log takes little memory', () => {
  expect(memoryLog({ bytes: historyLimits.bytesDefault }).tableBytes).toBeLessThan(20_000)
})

test('nothing is added to a log that is closed', () => {
  const log = memoryLog({ bytes: 1_000 })
  log.close()
  expect(() => log.append(about(ROOM, 'x'))).toThrow('closed')
})
