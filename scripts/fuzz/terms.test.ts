// Goal: the fuzzer of terms finds nothing, would find something, and asks Erlang. Method: a small
// run with a fixed seed in this process, readers with bugs, answers that are wrong; an example of
// each difference with Erlang; and the script as people start it.

import { expect, test } from 'bun:test'
import { deflateSync } from 'node:zlib'
import { type Difference, readTermNaively } from '../../src/erlang/naive.fixture.ts'
import { TermReader } from '../../src/erlang/term-reader.ts'
import { TAG, TermScanner } from '../../src/erlang/term-scanner.ts'
import {
  atomOf,
  bytesOf,
  deepOf,
  integerOf,
  mapOf,
  NIL,
  RECORDED,
  recorded,
  uint16,
  uint32,
} from '../../src/erlang/terms.fixture.ts'
import { succeed } from '../support/child-process.ts'
import { DIFFERENCES, disagreement, failureOf, firstFailure, inputOf, RealErlang } from './terms.ts'

const withErlang = test.skipIf(Bun.which('erl') === null)

test('four thousand terms of a fixed seed are read as by the naive readers and by Erlang', async () => {
  expect(await firstFailure(20_261_126, 4_000)).toBeNull()
})

test('an input is the same for the same seed, and another for another', () => {
  expect(inputOf(7)).toEqual(inputOf(7))
  expect(inputOf(7)).not.toEqual(inputOf(8))
})

class LongScanner extends TermScanner {
  override scan(bytes: Uint8Array, at: number, end: number): number {
    const found = super.scan(bytes, at, end)
    // Of the whole term only; that what is inside has no end would be seen in another way.
    return found === end - 1 && at === 3 ? end : found
  }
}

class LenientScanner extends TermScanner {
  override scan(bytes: Uint8Array, at: number, end: number): number {
    return bytes[at] === TAG.bitBinary ? end : super.scan(bytes, at, end)
  }
}

class UnsignedReader extends TermReader {
  override integer(): number {
    const { tag } = this
    const value = super.integer()
    return tag === TAG.integer ? value >>> 0 : value
  }
}

class LosingReader extends TermReader {
  override byteString(): Uint8Array | null {
    return super.byteString()?.subarray(0, 7) ?? null
  }
}

class StayingReader extends TermReader {
  override list(): number {
    if (this.kind === 'nil') this.at++
    return super.list()
  }
}

class ThrowingReader extends TermReader {
  override isAtom(name: string): boolean {
    if (name === 'ok') throw new RangeError('out of bounds')
    return super.isAtom(name)
  }
}

test.each([
  ['sees a byte more', { TermScanner: LongScanner, TermReader }, 'seen'],
  ['believes a length', { TermScanner: LenientScanner, TermReader }, 'seen'],
  ['forgets a sign', { TermScanner, TermReader: UnsignedReader }, 'an integer is'],
  [
    'loses the end of a long byte string',
    { TermScanner, TermReader: LosingReader },
    'a body is read as',
  ],
  [
    'passes what it must not',
    { TermScanner, TermReader: StayingReader },
    'passed what is not there',
  ],
  ['throws', { TermScanner, TermReader: ThrowingReader }, 'out of bounds'],
])('a reader that %s is told of, and how to see it again', async (_, subject, what) => {
  const failure = await firstFailure(5, 2_000, undefined, subject)
  expect(failure).toContain(what)
  const [, seed = ''] = /--inputs 1 --seed (\d+)$/.exec(failure ?? '') ?? []
  expect(failureOf(inputOf(Number(seed)), undefined, subject)).toContain(what)
  expect(failureOf(inputOf(Number(seed)))).toBeNull()
})

test('an Erlang that is of another mind is told of, unless the difference is listed', () => {
  const term = readTermNaively(bytesOf(integerOf(1), NIL))
  expect(disagreement(term, 2)).toBeNull()
  expect(disagreement(term, 3)).toBe('Erlang sees 3 bytes of a term, and comet 2')
  expect(disagreement(term, 0)).toBe('Erlang sees 0 bytes of a term, and comet 2')
  expect(disagreement(readTermNaively(bytesOf(255)), 1)).toContain('and comet 0')
  const twice = readTermNaively(mapOf(NIL, NIL, NIL, NIL))
  expect(disagreement(twice, 0)).toBeNull()
  expect(disagreement(twice, 8)).toBe('Erlang sees 8 bytes of a term, and comet 9')
})

const node = atomOf('b@localhost')
const words = (count: number) => new Uint8Array(4 * count)
const fun = recorded('compiledFun')
const compressed = bytesOf(80, uint32(NIL.length), deflateSync(NIL))
/**
 * For each difference what shows it, and how many bytes of it are a term to comet and to Erlang.
 */
const EXAMPLES: Record<Difference, readonly [term: Uint8Array, comet: number, erlang: number][]> = {
  map: [[mapOf(integerOf(1), NIL, bytesOf(TAG.integer, uint32(1)), NIL), 14, 0]],
  float: [
    [bytesOf(TAG.newFloat, 0x7f, 0xf8, words(1), 0, 0), 9, 0],
    [bytesOf(TAG.float, '15', new Uint8Array(29)), 32, 0],
  ],
  bits: [
    [bytesOf(TAG.bitBinary, uint32(1), 9, 0), 7, 0],
    [bytesOf(TAG.bitBinary, uint32(1), 0, 0), 7, 0],
    [bytesOf(TAG.bitBinary, uint32(0), 1), 6, 0],
  ],
  creation: [
    [bytesOf(TAG.pid, node, words(2), 4), 23, 0],
    [bytesOf(TAG.reference, node, uint32(2 ** 18), 0), 19, 0],
  ],
  arity: [[bytesOf(TAG.export, node, node, integerOf(-1)), 32, 0]],
  atom: [[atomOf('x'.repeat(256), TAG.atomUtf8), 259, 0]],
  depth: [[deepOf(513, bytesOf(TAG.smallTuple, 1), bytesOf()), 0, 1_027]],
  tag: [[compressed, 0, compressed.length]],
  fun: [
    [bytesOf(TAG.newFun, uint32(4)), 5, 0],
    [bytesOf(TAG.newFun, uint32(4), fun.subarray(5)), 5, fun.length],
    [bytesOf(TAG.newFun, uint32(9_999), fun.subarray(5)), 0, fun.length],
  ],
  reference: [[bytesOf(TAG.newerReference, uint16(6), node, words(7)), 44, 0]],
}

withErlang('each listed difference with Erlang is one', async () => {
  expect(Object.keys(EXAMPLES)).toEqual(Object.keys(DIFFERENCES))
  await using erlang = new RealErlang()
  for (const [name, examples] of Object.entries(EXAMPLES)) {
    const answers = await erlang.extentsOf(examples.map(([term]) => term))
    for (const [at, [term, comet, answer]] of examples.entries()) {
      const naive = readTermNaively(term)
      expect([name, naive.extent, answers[at]]).toEqual([name, comet, answer])
      expect([...naive.differences]).toEqual([name as Difference])
      expect([failureOf(term), disagreement(naive, answer)]).toEqual([null, null])
    }
  }
})

withErlang('what Erlang itself has written is no difference', async () => {
  await using erlang = new RealErlang()
  const answers = await erlang.extentsOf(RECORDED.map(([, term]) => term))
  for (const [at, [name, term]] of RECORDED.entries()) {
    const { differences } = readTermNaively(term)
    expect([name, answers[at], [...differences]]).toEqual([name, term.length, []])
  }
})

withErlang('what Erlang may die of is not asked', async () => {
  await using erlang = new RealErlang()
  const references = [TAG.newerReference, TAG.newReference].map((tag) =>
    bytesOf(tag, uint16(0), node, words(2)),
  )
  expect(await erlang.extentsOf([NIL, ...references, integerOf(300)])).toEqual([1, null, null, 5])
})

test('the script says how many inputs it read', async () => {
  const script = `${import.meta.dir}/terms.ts`
  const command = [process.execPath, script, '--inputs', '200', '--seed', '5']
  expect((await succeed(command)).stdout).toMatch(/^no failure in 200 inputs, [\d.]+ s\n$/)
})
