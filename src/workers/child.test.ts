// Goal: a worker hands frames to its streams and answers for each, tells what it is asked, and ends
// with its parent. Method: a real process with streams that it makes up, and the parent's end of
// the link by hand.

import { describe, expect, test } from 'bun:test'
import { refused } from '../core/result.ts'
import { until } from '../core/time.fixture.ts'
import { textFrame } from '../hub/stream.fixture.ts'
import { LINK_DESCRIPTOR } from '../os/subprocess.ts'
import { CHILD_USERS, type ChildKind, childCommand, startOf } from './child.fixture.ts'
import { jsonOf, Link, type LinkOwner } from './link.ts'
import { FRAME_HEAD_BYTES, TO_PARENT, TO_WORKER, writeFrame } from './protocol.ts'
import { HEAD_BYTES } from './records.ts'
import { ReportedStreams } from './worker-connections.fixture.ts'

/** The parent of one child; keeps what the child says by kind. */
class Parent implements LinkOwner, AsyncDisposable {
  readonly child: Bun.Subprocess
  readonly streams = new ReportedStreams()
  /** Bytes that were answered for, then the counts. */
  readonly took: [bytes: number, ...counts: number[]][] = []
  /** Of all others the JSON, by kind. */
  readonly said: [kind: number, value: unknown][] = []
  #link: Link | null = null

  constructor(kind: ChildKind) {
    this.child = Bun.spawn(childCommand(kind), { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
  }

  static async of(kind: ChildKind): Promise<Parent> {
    const parent = new Parent(kind)
    const descriptor: unknown = parent.child.stdio[LINK_DESCRIPTOR]
    parent.#link = await Link.open(Number(descriptor), parent, { requestMsMax: 60_000 })
    parent.link.json(TO_WORKER.start, startOf(0))
    await until('it has started', () => parent.all(TO_PARENT.started).length > 0)
    return parent
  }

  get link(): Link {
    if (this.#link === null) throw new Error('the link is not open')
    return this.#link
  }

  /** What it has said of one kind. */
  all(kind: number): unknown[] {
    return this.said.filter(([of]) => of === kind).map(([, value]) => value)
  }

  /** Writes a record of numbers and text. Answers its bytes. */
  write(kind: number, numbers: readonly number[], text = ''): number {
    const { out } = this.link
    out.begin(kind)
    for (const number of numbers) out.number(number)
    out.bytes(Buffer.from(text))
    this.link.flushSoon()
    return out.end()
  }

  deliver(users: readonly number[], text: string): number {
    const { out } = this.link
    out.begin(TO_WORKER.deliver)
    for (const number of [users.length, ...users]) out.number(number)
    writeFrame(out, textFrame(text))
    this.link.flushSoon()
    return out.end()
  }

  onRecord(record: Parameters<LinkOwner['onRecord']>[0]): void {
    const { kind, view } = record
    const numbers = () =>
      Array.from({ length: view.byteLength / 4 }, (_, at) => view.getUint32(at * 4, true))
    if (kind === TO_PARENT.opened || kind === TO_PARENT.closed) this.streams.onRecord(record)
    else if (kind === TO_PARENT.ack) {
      const [bytes = 0, ...counts] = numbers()
      this.took.push([bytes, ...counts])
    } else if (kind !== TO_PARENT.figures) this.said.push([kind, jsonOf(record)])
  }

  onClose(): void {
    this.said.push([0, null])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.child.exited
  }
}

describe('a worker', () => {
  test('tells that it has started, and of its streams', async () => {
    await using parent = await Parent.of('works')
    expect(parent.all(TO_PARENT.started)).toMatchObject([
      { ok: true, value: { open: 4, users: 3 } },
    ])
    expect(parent.streams.usersOf('opened')).toEqual([...CHILD_USERS])
  })

  test('tells why it has not', async () => {
    await using parent = await Parent.of('refuses')
    expect(parent.all(TO_PARENT.started)).toEqual([refused('the port is in use')])
  })

  test('answers for each frame, with all its streams and all its bytes', async () => {
    await using parent = await Parent.of('works')
    const bytes = [
      parent.deliver([1, 2, 9], 'a'),
      parent.deliver([9], 'no receiver'),
      parent.deliver([1], ''),
    ]
    // One turn of the parent is one answer, or a few if it was cut.
    await until('all are answered', () => parent.took.flatMap(([, ...counts]) => counts).length > 2)
    expect(parent.took.flatMap(([, ...counts]) => counts)).toEqual([3, 0, 2])
    const answered = parent.took.reduce((sum, [of]) => sum + of, 0)
    expect(answered).toBe(bytes.reduce((sum, of) => sum + of, 0))
    expect(bytes[0]).toBe(HEAD_BYTES + 4 + 3 * 4 + FRAME_HEAD_BYTES + 1)
  })

  test('tells of a stream that ends, here since it does not read', async () => {
    await using parent = await Parent.of('works')
    for (const text of ['x'.repeat(60), 'x'.repeat(60)]) parent.deliver([3, 2], text)
    await until('it has left', () => parent.streams.usersOf('closed').length > 0)
    expect(parent.streams.told.at(-1)).toEqual(['closed', 3, 'slow'])
    await until('both are answered', () => parent.took.flat().length > parent.took.length + 1)
    expect(parent.took.flatMap(([, ...counts]) => counts)).toEqual([2, 1])
    const figures = await parent.link.request(TO_WORKER.figures, null)
    expect(figures).toMatchObject({ open: 3, closed: { slow: 1 } })
  })

  test('keeps its frames whole, in any number and size', async () => {
    await using parent = await Parent.of('works')
    let bytes = 0
    for (let at = 0; at < 300; at++) bytes += parent.deliver([1, 2], 'x'.repeat(at * 40))
    await until('all are answered', () => parent.took.reduce((all, [of]) => all + of, 0) === bytes)
    const counts = parent.took.flatMap(([, ...counts]) => counts)
    expect(counts).toEqual(new Array(300).fill(3))
  })

  test('tells of a user whom it has, and of one whom it has not', async () => {
    await using parent = await Parent.of('works')
    const presence = [1, 9].map((user) => parent.link.request(TO_WORKER.presence, user))
    expect(await Promise.all(presence)).toEqual([
      { connections: 2, sinceMs: expect.any(Number) },
      { connections: 0, sinceMs: null },
    ])
  })
})

describe('the end of a worker', () => {
  test('begins when it is told to drain; it tells of every stream, then that it is over', async () => {
    await using parent = await Parent.of('works')
    parent.link.json(TO_WORKER.drain, { ms: 0, perSecondMin: 0 })
    await until('it is over', () => parent.all(TO_PARENT.drained).length > 0)
    expect(parent.all(TO_PARENT.drained)).toEqual([{ cut: true }])
    const closed = () => parent.streams.usersOf('closed')
    await until('all have left', () => closed().length === CHILD_USERS.length)
    expect(closed().toSorted()).toEqual([...CHILD_USERS])
    expect(parent.child.exitCode).toBeNull()
    parent.link.close()
    expect(await parent.child.exited).toBe(0)
  })

  test('comes with that of its parent, whatever it was doing', async () => {
    await using parent = await Parent.of('works')
    parent.deliver([1, 2], 'x'.repeat(100_000))
    parent.link.flush()
    parent.link.close()
    expect(await parent.child.exited).toBe(0)
  })
})
