// Reads random and damaged Erlang terms with what comet's Erlang node reads with, and with readers
// that are too simple to be wrong, and tells where they differ, throw or take too long. Where
// Erlang is installed, a real one is asked too; where it may be of another mind is listed here.
//
//   bun scripts/fuzz/terms.ts [--inputs 100000] [--seed N]     exits 1 at the first failure

import { settledWithin, withTimeout } from '../../src/core/deadline.ts'
import { randomFrom } from '../../src/core/random.ts'
import { readBody } from '../../src/erlang/message-terms.ts'
import {
  bodyNaively,
  type Difference,
  type Naive,
  readTermNaively,
  type Value,
} from '../../src/erlang/naive.fixture.ts'
import { TermReader } from '../../src/erlang/term-reader.ts'
import { TAG, TERM_VERSION, TermScanner } from '../../src/erlang/term-scanner.ts'
import { bytesOf, damaged, placed, termOf, uint32 } from '../../src/erlang/terms.fixture.ts'
import { BETWEEN_SIGNS, fuzz } from './fuzz.ts'

/** The mind of Erlang where it is another, and who may see a term where the other sees none. */
export const DIFFERENCES: Readonly<
  Record<Difference, { readonly seenBy: 'comet' | 'Erlang' | 'either'; readonly what: string }>
> = {
  map: { seenBy: 'comet', what: 'a map with the same key twice' },
  float: { seenBy: 'comet', what: 'a float without a value, or as text that is none' },
  bits: { seenBy: 'comet', what: 'a bitstring with none or more than eight bits in its last byte' },
  creation: { seenBy: 'comet', what: 'an old identifier with numbers larger than old ones were' },
  arity: { seenBy: 'comet', what: 'an external fun whose arity is no small number' },
  atom: { seenBy: 'comet', what: 'an atom of more than 255 characters in 1,020 bytes' },
  depth: { seenBy: 'Erlang', what: 'a term that is deeper than comet reads' },
  tag: { seenBy: 'Erlang', what: "a compressed term, or a tag of the emulator's own" },
  // Erlang passes over what is inside, whatever the size says.
  fun: { seenBy: 'either', what: 'a fun that has not its size, or is not made as funs are' },
  reference: { seenBy: 'comet', what: 'a reference of more than five numbers, or of none' },
}

/** What is fuzzed. */
interface Subject {
  readonly TermScanner: typeof TermScanner
  readonly TermReader: typeof TermReader
}

/** The input of a seed: a term whole, damaged, or none at all, and perhaps something behind it. */
export function inputOf(seed: number): Uint8Array {
  const random = randomFrom(seed)
  const [whole, other] = [termOf(random), termOf(random)]
  const kind = random(10)
  if (kind === 0) return Uint8Array.from({ length: random(40) }, () => random(256))
  if (kind < 3) return random(3) === 0 ? bytesOf(whole, other) : whole
  return damaged(random, whole, other)
}

/** What is wrong with how an input is read; null if nothing is. */
export function failureOf(
  input: Uint8Array,
  naive: Naive = readTermNaively(input),
  subject: Subject = { TermScanner, TermReader },
): string | null {
  const { value, extent } = naive
  const { bytes, at, end } = placed(input, 5)
  try {
    const scanner = new subject.TermScanner()
    const found = scanner.scan(bytes, at, end)
    const seen = found < 0 ? `none, since ${scanner.failure}` : `${found - at} bytes`
    if (found !== (value === null ? -1 : at + extent)) return `seen ${seen}, and not ${extent}`
    if (value === null) return scanner.failure === null ? 'refused without a reason' : null
    if (scanner.scan(bytes, at, found - 1) >= 0) return 'seen though its last byte is missing'
    // Nothing is there behind the term, so that it cannot be read.
    const exact = placed(input.subarray(0, extent))
    checkTerm(new subject.TermReader(scanner, exact.bytes, exact.at), value, 0)
    return null
  } catch (error) {
    return error instanceof Mismatch ? error.message : `threw ${Bun.inspect(error)}`
  }
}

class Mismatch extends Error {}

function check(isSo: boolean, what: string): void {
  if (!isSo) throw new Mismatch(what)
}

/** Terms around one within which bodies are looked for, which are as deep as these again. */
const BODY_DEPTH_MAX = 2

/** Passes a term in every way that there is, and checks that it was the value. */
function checkTerm(reader: TermReader, value: Value, depth: number): void {
  const { at } = reader
  check(reader.kind === value.kind, `a term is of kind ${reader.kind} and not ${value.kind}`)
  const raw = reader.raw()
  const end = reader.at
  check(Buffer.compare(raw, reader.bytes.subarray(at, end)) === 0, 'raw bytes are others')
  const again = (pass: () => void) => {
    reader.at = at
    pass()
    check(reader.at === end, `passed from ${at} to ${reader.at}, and not to ${end}: ${value.kind}`)
  }
  again(() => reader.skipTerm())
  again(() => checkInteger(reader.integer(), value))
  if (depth <= BODY_DEPTH_MAX) again(() => checkBody(reader, value))
  reader.at = at
  if (value.kind !== 'tuple') check(reader.tuple() === -1, 'a tuple where none is')
  if (value.kind !== 'list') check(reader.list() === -1, 'a list where none is')
  if (value.kind !== 'string' && value.kind !== 'binary') {
    check(reader.byteString() === null, 'a byte string where there is none')
  }
  check(reader.at === at, 'passed what is not there')
  again(() => checkInside(reader, value, depth))
}

function checkInside(reader: TermReader, value: Value, depth: number): void {
  const each = (terms: readonly Value[], found: number) => {
    check(found === terms.length, `${found} terms inside, and not ${terms.length}`)
    for (const term of terms) checkTerm(reader, term, depth + 1)
  }
  switch (value.kind) {
    case 'tuple':
      each(value.terms, reader.tuple())
      break
    case 'list':
      each(value.terms, reader.list())
      checkTerm(reader, value.tail, depth + 1)
      break
    case 'atom':
      checkAtom(reader, value.name)
      break
    case 'string':
    case 'binary': {
      const bytes = reader.byteString()
      check(bytes !== null && value.bytes.equals(bytes), 'a byte string has other bytes')
      break
    }
    default:
      reader.skipTerm()
  }
}

function checkAtom(reader: TermReader, name: string): void {
  const { at } = reader
  check(!reader.isAtom(`${name}x`) && reader.at === at, 'an atom has a longer name too')
  if (/[^\0-\x7f]/.test(name)) reader.skipTerm()
  else check(reader.isAtom(name), `an atom does not have the name ${name}`)
}

function checkInteger(found: number, value: Value): void {
  const number = value.kind === 'integer' ? Number(value.value) : Number.NaN
  const expected = Number.isSafeInteger(number) ? number : Number.NaN
  // A nothing below zero is one too.
  check(Object.is(found + 0, expected), `an integer is ${found} and not ${expected}`)
}

function checkBody(reader: TermReader, value: Value): void {
  const body = readBody(reader)
  const expected = bodyNaively(value)
  const found = body.ok ? Buffer.from(body.value) : body.why.code
  const [seen, right] = [Bun.inspect(found), Bun.inspect(expected)]
  check(seen === right, `a body is read as ${seen} and not ${right}`)
}

/** What is wrong with what Erlang says: how many bytes a term has, or 0 if it sees none. */
export function disagreement({ extent, differences }: Naive, answer: number): string | null {
  if (answer === extent) return null
  const isListed = [...differences].some((difference) => {
    const { seenBy } = DIFFERENCES[difference]
    if (answer > 0 && extent > 0) return seenBy === 'either'
    return seenBy === 'either' || seenBy === (extent > 0 ? 'comet' : 'Erlang')
  })
  return isListed ? null : `Erlang sees ${answer} bytes of a term, and comet ${extent}`
}

/** Answers each packet, a term, with how many bytes of it are one. */
const ANSWER = `
  Port = open_port({fd, 0, 1}, [{packet, 4}, binary, eof]),
  Loop = fun Loop() ->
    receive
      {Port, {data, Bytes}} ->
        Used = try binary_to_term(Bytes, [used]) of {_, Whole} -> Whole - 1 catch error:_ -> 0 end,
        port_command(Port, <<Used:32>>),
        Loop();
      {Port, eof} -> halt()
    end
  end,
  Loop().`

/**
 * How references without numbers begin. OTP 25 reads a number nevertheless, and puts it where it
 * has no room for it, so that the emulator may die of it, now or later.
 */
const DEADLY = [Buffer.of(TAG.newerReference, 0, 0), Buffer.of(TAG.newReference, 0, 0)]

const ERL = Bun.which('erl')

/** Milliseconds for one answer of Erlang, its start included; and for its end. */
const ANSWER_MS_MAX = 8_000

/** A real Erlang, which ends with this process. */
export class RealErlang implements AsyncDisposable {
  // It never forgets an atom, and gets new ones in many of the terms.
  readonly #child = Bun.spawn(
    [`${ERL}`, '-noshell', '-noinput', '+t', '10000000', '-eval', ANSWER],
    { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' },
  )
  readonly #answers = this.#child.stdout.getReader()
  #rest = Buffer.alloc(0)

  /** Null where Erlang is not installed. */
  static start(): RealErlang | null {
    return ERL === null ? null : new RealErlang()
  }

  /**
   * How many bytes of each Erlang takes for a term, or 0 if it is none; null for what it may die
   * of.
   */
  async extentsOf(inputs: readonly Uint8Array[]): Promise<(number | null)[]> {
    const isAsked = inputs.map(
      (input) => !DEADLY.some((begin) => Buffer.from(input).includes(begin)),
    )
    const asked = inputs.filter((_, at) => isAsked[at])
    for (const input of asked) {
      this.#child.stdin.write(bytesOf(uint32(input.length + 1), TERM_VERSION, input))
    }
    this.#child.stdin.flush()
    // Four bytes of length before the same of each answer.
    while (this.#rest.length < asked.length * 8) {
      const answer = this.#answers.read()
      const { done, value } = await withTimeout('an answer of Erlang', answer, ANSWER_MS_MAX)
      if (done) throw new Error('Erlang has died of a term')
      this.#rest = Buffer.concat([this.#rest, value])
    }
    const answers = asked.map((_, at) => this.#rest.readUInt32BE(at * 8 + 4))
    this.#rest = this.#rest.subarray(asked.length * 8)
    return isAsked.map((is) => (is ? (answers.shift() ?? null) : null))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await settledWithin(this.#child.exited, ANSWER_MS_MAX)
    this.#child.kill('SIGKILL')
    await this.#child.exited
  }
}

/** All that it takes to see a failure again. */
function described(seed: number, failure: string): string {
  const hex = Buffer.from(inputOf(seed)).toString('hex')
  return `${failure}\nin ${hex}\nagain: bun scripts/fuzz/terms.ts --inputs 1 --seed ${seed}`
}

/** The first failure among so many inputs, one for each seed from the first on. */
export async function firstFailure(
  seed: number,
  inputs: number,
  onSign: (seed: number) => void = () => undefined,
  subject?: Subject,
): Promise<string | null> {
  await using erlang = RealErlang.start()
  if (erlang === null) console.error('Erlang is not asked: there is no erl.')
  const end = seed + inputs
  for (let from = seed; from < end; from += BETWEEN_SIGNS) {
    onSign(from)
    const seeds = Array.from({ length: Math.min(BETWEEN_SIGNS, end - from) }, (_, at) => from + at)
    const terms = seeds.map(inputOf)
    const answers = await erlang?.extentsOf(terms)
    for (const [at, term] of terms.entries()) {
      const naive = readTermNaively(term)
      const answer = answers?.[at] ?? naive.extent
      const failure = failureOf(term, naive, subject) ?? disagreement(naive, answer)
      if (failure !== null) return described(from + at, failure)
    }
  }
  return null
}

await fuzz(import.meta, (seed, inputs, onSign) => firstFailure(seed, inputs, onSign))
