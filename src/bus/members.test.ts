// Goal: the members are those of the log at a place, wherever a node began to read, and whatever it
// has missed. Method: changes and snapshots by hand, in every order in which they can come.

import { describe, expect, test } from 'bun:test'
import { nodeLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import { MemberRecorder } from './bus.fixture.ts'
import {
  descriptionText,
  MEMBERS_ORIGIN,
  type Member,
  type MemberChange,
  memberChangeOf,
  memberText,
  parseMember,
} from './member-entry.ts'
import { type MemberSnapshot, Members } from './members.ts'
import type { BatchEntry } from './stream-entry.ts'

function member(name: string): Member {
  const address = `${name}:8001`
  return { origin: originOf(name), name, address, version: '1', startedMs: 5, sinceMs: 9_000 }
}

/** Its first letter, sixteen times. */
function originOf(name: string): string {
  return (name[0] ?? '').repeat(16)
}

function at(number: number): Cursor {
  return { epoch: 5, number }
}

function join(version: number, name: string): MemberChange {
  return { kind: 'join', version, at: at(version), member: member(name) }
}

function leave(version: number, name: string, kind: 'stopped' | 'dead' = 'dead'): MemberChange {
  return { kind, version, at: at(version), origin: originOf(name) }
}

function snapshot(number: number, version: number, ...names: string[]): MemberSnapshot {
  return { at: at(number), version, members: names.map(member) }
}

class Node {
  readonly recorder = new MemberRecorder()
  readonly members: Members

  constructor(limits: { membersMax?: number; changesMax?: number } = {}) {
    this.members = new Members({ ...nodeLimits, ...limits }, this.recorder)
  }

  /** One that knows a, b and c, by the changes up to the third. */
  static knowing(limits = {}): Node {
    const node = new Node(limits)
    node.renew(snapshot(3, 3, 'a', 'b', 'c'))
    node.recorder.told.length = 0
    return node
  }

  renew(of: MemberSnapshot): void {
    this.members.endRenewal(this.members.beginRenewal(), of, of.at)
  }

  get names(): string {
    return this.members.all.map(({ name }) => name).join('')
  }

  get told(): readonly string[] {
    return this.recorder.told
  }
}

describe('the members', () => {
  test('are known from the first snapshot on, and not by a history before it', () => {
    const node = new Node()
    node.members.apply(join(1, 'a'))
    expect(node.names).toBe('')
    node.renew(snapshot(3, 3, 'b', 'c'))
    expect([node.names, node.members.version]).toEqual(['bc', 3])
    expect(node.told).toEqual(['b joined', 'c joined'])
  })

  test('follow the log, which tells why one has left', () => {
    const node = Node.knowing()
    for (const change of [leave(4, 'a', 'stopped'), join(5, 'd'), leave(6, 'b')]) {
      node.members.apply(change)
    }
    expect([node.names, node.members.version]).toEqual(['cd', 6])
    expect(node.told).toEqual(['a stopped', 'd joined', 'b died'])
  })

  test('are others only at the place of a snapshot, with what was read meanwhile', () => {
    const node = Node.knowing()
    const renewal = node.members.beginRenewal()
    node.members.apply(join(4, 'd'))
    node.members.endRenewal(renewal, snapshot(9, 6, 'd', 'e'), at(4))
    expect([node.names, node.members.isRenewing]).toEqual(['abcd', true])
    node.members.apply(join(5, 'e'))
    node.members.reached(at(8))
    expect(node.names).toBe('abcde')
    node.members.reached(at(9))
    expect([node.names, node.members.version, node.members.isRenewing]).toEqual(['de', 6, false])
    node.members.apply(leave(6, 'b'))
    node.members.apply(leave(7, 'e'))
    expect([node.names, node.members.version]).toEqual(['d', 7])
  })

  test('are a snapshot and what came after it, if that was read before it was answered', () => {
    const node = Node.knowing()
    const renewal = node.members.beginRenewal()
    for (const change of [leave(4, 'a'), join(5, 'd'), leave(6, 'b', 'stopped')]) {
      node.members.apply(change)
    }
    node.members.endRenewal(renewal, snapshot(4, 4, 'b', 'c'), at(6))
    expect([node.names, node.members.version]).toEqual(['cd', 6])
    expect(node.told).toEqual(['a died', 'd joined', 'b stopped'])
  })

  test('show a hole in what was read by their version, until a snapshot is there', () => {
    const node = Node.knowing()
    node.members.apply(join(6, 'd'))
    expect([node.names, node.members.version]).toEqual(['abcd', 3])
    node.renew(snapshot(6, 6, 'c', 'd'))
    expect([node.names, node.members.version]).toEqual(['cd', 6])
  })

  test('are renewed by the newest snapshot alone, and by none that was not answered', () => {
    const node = Node.knowing()
    node.members.endRenewal(node.members.beginRenewal(), snapshot(9, 9, 'x'), at(3))
    node.members.endRenewal(node.members.beginRenewal(), null, at(3))
    node.members.reached(at(20))
    expect([node.names, node.members.isRenewing]).toEqual(['abc', false])
    const [older, newer] = [node.members.beginRenewal(), node.members.beginRenewal()]
    node.members.endRenewal(older, snapshot(3, 3, 'x'), at(3))
    expect(node.names).toBe('abc')
    node.members.endRenewal(newer, snapshot(3, 3, 'a', 'b'), at(3))
    expect(node.names).toBe('ab')
  })

  test('ask for another snapshot if too much was read during one', () => {
    const node = Node.knowing({ changesMax: 1 })
    const renewal = node.members.beginRenewal()
    node.members.apply(join(4, 'd'))
    node.members.apply(join(5, 'e'))
    expect(node.members.isRenewing).toBe(false)
    node.members.endRenewal(renewal, snapshot(9, 9, 'x'), at(9))
    expect(node.names).toBe('abcde')
  })

  test('are no more than the limit', () => {
    const node = Node.knowing({ membersMax: 3 })
    node.members.apply(join(4, 'd'))
    expect(node.names).toBe('abc')
    node.renew(snapshot(9, 9, 'a', 'b', 'c', 'd', 'e'))
    expect(node.names).toBe('abc')
  })

  test('are told once if one joins that was never missed', () => {
    const node = Node.knowing()
    node.members.apply(join(4, 'a'))
    expect([node.names, node.members.version, node.told]).toEqual(['abc', 4, []])
  })

  test('are watched in a circle', () => {
    const { members } = Node.knowing()
    const behind = (name: string, count: number) =>
      members.behind(originOf(name), count).map((one) => one.name)
    expect(behind('a', 1)).toEqual(['b'])
    expect(behind('b', 3)).toEqual(['c', 'a'])
    expect(behind('c', 2)).toEqual(['a', 'b'])
    // One that is none of them, too.
    expect(behind('d', 2)).toEqual(['a', 'b'])
    expect(members.others(originOf('b')).map((one) => one.name)).toEqual(['a', 'c'])
  })
})

const A = originOf('a')

function entry(head: string, body: string, other: Partial<BatchEntry> = {}): BatchEntry {
  const batch = { origin: MEMBERS_ORIGIN, batch: 1, count: 1, seconds: 9, isText: true }
  return { kind: 'batch', at: at(1), ...batch, head, body, again: null, previous: 0, ...other }
}

describe('an entry about a member', () => {
  test('tells that one has joined, and what it says of itself', () => {
    const change = memberChangeOf(entry(`j${A},7`, descriptionText(member('a'))))
    expect(change).toEqual({ kind: 'join', version: 7, at: at(1), member: member('a') })
  })

  test.each(['stopped', 'dead'] as const)('tells that one has left: %s', (kind) => {
    expect(memberChangeOf(entry(`l${A},7`, kind))).toEqual({
      kind,
      version: 7,
      at: at(1),
      origin: A,
    })
  })

  const right = descriptionText(member('a'))
  test.each([
    ['of another origin', entry(`j${A},7`, right, { origin: A })],
    ['of two items', entry(`j${A},7`, right, { count: 2 })],
    ['without a version', entry(`j${A}`, right)],
    ['with version 0', entry(`j${A},0`, right)],
    ['of no origin', entry('jx,7', right)],
    ['of another kind', entry(`a${A},7`, right)],
    ['with no JSON', entry(`j${A},7`, 'x')],
    ['with a list', entry(`j${A},7`, '[]')],
    ['with a name that is none', entry(`j${A},7`, right.replace('"a"', '7'))],
    ['with a long name', entry(`j${A},7`, right.replace('"a"', `"${'x'.repeat(256)}"`))],
    ['with a long text', entry(`j${A},7`, right + ' '.repeat(10_000))],
    ['that has left for no reason', entry(`l${A},7`, 'bored')],
  ])('is none %s', (_, damaged) => {
    expect(memberChangeOf(damaged)).toBeNull()
  })

  test('is kept in Redis with the time', () => {
    expect(parseMember(A, memberText(member('a'), 5))).toEqual(member('a'))
    for (const text of ['', '9 9', `5 x ${right}`, `9 ${right}`, right, '5 9 []', 9]) {
      expect(parseMember(A, text)).toBeNull()
    }
    expect(parseMember('version', memberText(member('a'), 5))).toBeNull()
  })
})
