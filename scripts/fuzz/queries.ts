// Asks the public port for streams with random and damaged queries, and compares what it takes them
// for with rules that are written here once more, in the simplest way.
//
//   bun scripts/fuzz/queries.ts [--inputs 100000] [--seed N]       exits 1 at the first failure

import { type RandomBelow, randomFrom } from '../../src/core/random.ts'
import { settingsOf } from '../../src/hub/settings.fixture.ts'
import { type Match, match } from '../../src/public/routes.ts'
import { bySeed, fuzz } from './fuzz.ts'

type Pair = readonly [name: string, value: string]

export interface Input {
  readonly pairs: readonly Pair[]
  /** The query that has them, and perhaps a byte of it changed. */
  readonly query: string
  readonly isDamaged: boolean
}

const CURSOR = '019ad3f0c2a1-00000000002a'
const VALUES: Readonly<Record<string, readonly string[]>> = {
  format: ['json', 'sse', 'raw', 'poll', 'websocket', 'JSON', '', '__proto__', 'constructor'],
  after: [
    CURSOR,
    'oldest',
    '',
    CURSOR.toUpperCase(),
    `${CURSOR}0`,
    '-1',
    'now',
    '000000000000-000000000000',
  ],
  last: ['1', '10', '1000', '0', '1001', '-1', '1e2', '01', '', ' 5', '9999999'],
  subjects: [
    'news',
    'a1,b1',
    'room:42,news',
    '7',
    '',
    ',',
    'a1,',
    'a1,a1',
    '1001',
    '..',
    'x'.repeat(65),
  ],
  envelope: ['json', 'xml', ''],
  offset: ['-1', 'now', CURSOR, '', '0', 'oldest'],
  live: ['long-poll', 'sse', 'no', ''],
  timeout: ['1', '60', '0', '61', '1.5', ''],
  other: ['', 'x', '&', '='],
}
const NAMES = Object.keys(VALUES)

function oneOf<T>(random: RandomBelow, choices: readonly T[]): T {
  return choices[random(choices.length)] as T
}

export function inputOf(seed: number): Input {
  const random = randomFrom(seed)
  const pairs = Array.from({ length: random(5) }, (): Pair => {
    const name = oneOf(random, NAMES)
    return [name, oneOf(random, VALUES[name] as readonly string[])]
  })
  const query = pairs.map(([name, value]) => `${name}=${written(random, value)}`).join('&')
  if (query === '' || random(5) > 0) return { pairs, query, isDamaged: false }
  const at = random(query.length)
  const byte = String.fromCharCode(0x21 + random(0x5e))
  return { pairs, query: query.slice(0, at) + byte + query.slice(at + 1), isDamaged: true }
}

/** Some characters as they are and some encoded, as a client may do it. */
function written(random: RandomBelow, value: string): string {
  return [...value]
    .map((character) => {
      const mustBe = /[&=#%+ ]/.test(character)
      if (!mustBe && random(4) > 0) return character
      return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
    })
    .join('')
}

const SETTINGS = settingsOf({ userIdMax: 1_000, anonymous: true }).current

export function matchOf(query: string): Match {
  const header = () => null
  return match(
    { method: 'GET', path: '/stream/7', query, host: 'localhost', minor: 1, header },
    SETTINGS,
  )
}

/** Of the parameters of a name, the first. */
function first(pairs: readonly Pair[], wanted: string): string | null {
  return pairs.find(([name]) => name === wanted)?.[1] ?? null
}

function all(pairs: readonly Pair[], wanted: string): string[] {
  return pairs.flatMap(([name, value]) => (name === wanted ? value : []))
}

const isCursor = (text: string) => /^[0-9a-f]{12}-[0-9a-f]{12}$/.test(text)

/** Is it a request for a stream, by the rules of the manual? */
function isValid(pairs: readonly Pair[]): boolean {
  const has = (name: string) => first(pairs, name) !== null
  const format = first(pairs, 'format')
  const subjects = all(pairs, 'subjects').flatMap((list) => list.split(','))
  const isSubject = (text: string) =>
    /^[1-9]\d*$/.test(text) ? Number(text) <= 1_000 : /^(?!\d+$|\.\.?$)[\w.:@-]{1,64}$/.test(text)
  if (!subjects.every(isSubject)) return false
  if (has('offset') || has('live') || format === 'poll') {
    const [offsets, lives] = [all(pairs, 'offset'), all(pairs, 'live')]
    const seconds = first(pairs, 'timeout')
    const isOffset = (text: string) => text === '-1' || text === 'now' || isCursor(text)
    return (
      (format === null || format === 'poll') &&
      !has('after') &&
      !has('last') &&
      (lives.length === 0 || (lives.length === 1 && offsets.length === 1)) &&
      lives.every((live) => live === 'long-poll' || live === 'sse') &&
      offsets.length < 2 &&
      offsets.every(isOffset) &&
      (seconds === null || seconds === '1' || seconds === '60')
    )
  }
  if (format !== null && !['json', 'sse', 'raw', 'websocket'].includes(format)) return false
  if (has('envelope') && (format !== 'sse' || first(pairs, 'envelope') !== 'json')) return false
  const [after, last] = [first(pairs, 'after'), first(pairs, 'last')]
  if (after !== null && last !== null) return false
  if (after !== null) return after === 'oldest' || isCursor(after)
  return last === null || ['1', '10', '1000', '01'].includes(last)
}

/** What is wrong with how the query is taken; null if nothing is. */
export function failureOf({ pairs, query, isDamaged }: Input, read = matchOf): string | null {
  try {
    const matched = read(query)
    const isTaken = !('answer' in matched)
    if ('answer' in matched && matched.answer.status !== 400) {
      return `it is answered ${matched.answer.status}`
    }
    if (isTaken && matched.user !== 7) return `it is for user ${matched.user}`
    if (isDamaged || isTaken === isValid(pairs)) return null
    return isTaken ? 'it is taken, and is not valid' : 'it is refused, and is valid'
  } catch (error) {
    return `it threw ${Bun.inspect(error)}`
  }
}

export const firstFailure = bySeed((seed) => {
  const input = inputOf(seed)
  const failure = failureOf(input)
  if (failure === null) return null
  const again = `bun scripts/fuzz/queries.ts --inputs 1 --seed ${seed}`
  return `${failure}\nquery ${JSON.stringify(input.query)}\nagain: ${again}`
})

await fuzz(import.meta, firstFailure)
