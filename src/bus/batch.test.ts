// Goal: what one node adds is what the others read, whatever its bytes are; and what no node has
// written is refused. Method: a table, random batches there and back, and random damage to them.

import { describe, expect, test } from 'bun:test'
import { randomFrom } from '../core/random.ts'
import { NOBODY } from '../log/heads.ts'
import { about, to, toEveryone, user } from '../log/log.fixture.ts'
import { BARRIER, type LogItem } from '../log/message-bus.ts'
import { decodeBatch, encodeBatch, reportedItems } from './batch.ts'
import { NOT_DELIVERED } from './bus.fixture.ts'

/** Handles as the sender has them, which other nodes need not have. */
const HANDLES = new Map([
  ['alice', NOBODY + 1],
  ['room:42', NOBODY + 2],
])
const intern = (name: string) => HANDLES.get(name) ?? null

const NEVER_TOLD = {
  onAccepted: () => undefined,
  onRepeated: () => undefined,
  onRefused: () => undefined,
}

/** As Bun's client hands it over: decoded as UTF-8. */
function thereAndBack(items: readonly LogItem[]) {
  const { head, body, isText } = encodeBatch(items)
  return decodeBatch(
    head,
    typeof body === 'string' ? body : Buffer.from(body).toString(),
    isText,
    intern,
  )
}

const alice = { target: NOBODY + 1, name: 'alice' } as const

describe('a batch', () => {
  test('has a short head that people can read', () => {
    const items = [
      about(7, 'hello'),
      to(NOBODY + 1, '{"a":1}', { ...alice, isJson: true, event: 'news' }),
      { ...toEveryone('all'), key: 'k,1 2' },
      { user: user(7), subject: user(NOBODY + 2, 'room:42'), follows: true },
      { user: user(8), subject: user(9), follows: false },
      BARRIER,
    ] as const
    expect(encodeBatch(items)).toMatchObject({
      count: 6,
      head: 'a7,5 Talice,7,enews e3,k5 f7,room:42 u8,9 b',
      body: new Uint8Array(Buffer.from('hello{"a":1}k,1 2all')),
      isText: true,
    })
    expect(thereAndBack(items)).toEqual({ ok: true, value: [...items] })
  })

  test('says which of its messages all nodes are to report of', () => {
    const items = [
      about(7, 'a'),
      about(7, 'b', { event: 'news' }),
      toEveryone('c'),
      { user: user(7), subject: user(NOBODY + 2, 'room:42'), follows: true },
      { ...to(7, 'd'), key: 'k' },
    ] as const
    const wished = { ...NOT_DELIVERED, isForAllNodes: true, ...NEVER_TOLD }
    const plain = { ...wished, isForAllNodes: false }
    const { head } = encodeBatch(items, [null, wished, wished, null, wished])
    expect(head).toBe('a7,1 a7,1,enews,r e1,r f7,room:42 t7,1,k1,r')
    expect(reportedItems(head)).toEqual([1, 2, 4])
    expect(decodeBatch(head, 'abckd', true, intern)).toEqual({ ok: true, value: [...items] })
    expect(reportedItems(encodeBatch(items, [plain]).head)).toEqual([])
    expect(reportedItems('f7,r u8,r')).toEqual([])
  })

  test.each([
    ['ASCII', 'abc'],
    ['umlauts and emoji', 'äöü € 😀'],
    ['a byte order mark', '\ufeffabc'],
    ['NUL and line ends', 'a\0b\r\nc'],
    ['a replacement character', '\ufffd'],
  ])('carries %s as it is', (_, text) => {
    const items = [about(1, text), about(2, text)]
    expect(encodeBatch(items).isText).toBe(true)
    expect(thereAndBack(items)).toEqual({ ok: true, value: items })
  })

  test('carries bytes that are no text, alone and beside a text', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at)
    const items = [{ ...about(1, ''), bytes }, about(2, 'text')]
    expect(encodeBatch(items).isText).toBe(false)
    expect(thereAndBack(items)).toEqual({ ok: true, value: items })
    expect(thereAndBack(items.slice(0, 1))).toEqual({ ok: true, value: items.slice(0, 1) })
  })

  test('delivers to no user when the reader has no room for the name', () => {
    const items = [about(NOBODY + 9, 'a', { name: 'unheard-of' })]
    const read = thereAndBack(items)
    expect(read.ok && read.value[0]).toMatchObject({ target: NOBODY, name: 'unheard-of' })
  })

  test.each([
    ['', ''],
    ['b ', ''],
    ['x', ''],
    ['a', ''],
    ['a1', ''],
    ['a1,', ''],
    ['a1,0', ''],
    ['a0,1', 'x'],
    ['a01,1', 'x'],
    ['a1,01', 'x'],
    ['a2147483648,1', 'x'],
    ['a1,1', ''],
    ['a1,1', 'xy'],
    ['a1,65537', 'x'.repeat(65_537)],
    ['a..,1', 'x'],
    [`a${'n'.repeat(65)},1`, 'x'],
    ['a1,1,', 'x'],
    ['a1,1,x', 'x'],
    ['a1,1,egap', 'x'],
    ['a1,1,enews,', 'x'],
    ['a1,1,enews,k0', 'x'],
    ['a1,1,k1', 'x'],
    ['a1,1,k129', 'x'.repeat(130)],
    ['a1,1,k1', '\nx'],
    ['a1,1,k1,enews', 'xx'],
    ['e1,1', 'x'],
    ['f1', ''],
    ['f1,', ''],
    ['f1,2,3', ''],
    ['bb', ''],
  ])('with the head "%s" is refused', (head, body) => {
    expect(decodeBatch(head, body, true, intern).ok).toBe(false)
  })

  test('is refused with more messages than a batch may have, and with a body that is no base64', () => {
    expect(decodeBatch(Array(1_025).fill('b').join(' '), '', true, intern).ok).toBe(false)
    for (const body of ['eA', 'eA==x', 'e A=', '%%%%']) {
      expect(decodeBatch('a1,1', body, false, intern).ok).toBe(false)
    }
    expect(decodeBatch('a1,1', 'eA==', false, intern).ok).toBe(true)
  })

  test('of anything comes out as it went in, a thousand times', () => {
    const random = randomFrom(7)
    for (let round = 0; round < 1_000; round++) {
      const items = Array.from({ length: 1 + random(20) }, () => randomItem(random))
      expect(thereAndBack(items)).toEqual({ ok: true, value: items })
    }
  })

  test('that was damaged is refused or is another batch, and never throws', () => {
    const random = randomFrom(11)
    for (let round = 0; round < 5_000; round++) {
      const items = Array.from({ length: 1 + random(4) }, () => randomItem(random))
      const { head, body } = encodeBatch(items)
      const damaged = [...head]
      const character = String.fromCharCode(random(3) === 0 ? random(0x10000) : 32 + random(95))
      damaged.splice(random(head.length), random(3), character)
      const text = Buffer.from(body).toString()
      const read = decodeBatch(damaged.join(''), text, random(4) > 0, intern)
      if (!read.ok) continue
      const again = encodeBatch(read.value)
      expect(again.count).toBe(read.value.length)
    }
  })
})

function randomItem(random: (bound: number) => number): LogItem {
  const one = () => {
    const name = ['alice', 'room:42', null, null][random(4)] as string | null
    return name === null ? user(1 + random(1_000)) : user(intern(name) as number, name)
  }
  const kind = random(10)
  if (kind === 0) return BARRIER
  if (kind === 1) return { user: one(), subject: one(), follows: random(2) === 0 }
  const { id, name } = kind === 2 ? user(0) : one()
  return {
    bytes: Uint8Array.from({ length: 1 + random(30) }, () => random(kind < 7 ? 128 : 256)),
    isAbout: kind > 4,
    target: id === 0 ? 0 : id,
    name,
    event: random(3) === 0 ? 'news' : null,
    isJson: random(2) === 0,
    key: random(3) === 0 ? 'a key, of any words' : null,
  }
}
