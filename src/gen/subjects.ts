// Whom messages are for: `--subjects`, read and made into a source of user ids. It knows no messages
// and no rates.

import { settledWithin } from '../core/deadline.ts'
import { messageLimits } from '../core/limits.ts'
import { LineSplitter } from '../core/lines.ts'
import type { RandomBelow } from '../core/random.ts'
import { genLimits } from '../core/tool-limits.ts'
import { parseUserId } from '../core/user.ts'
import { zipf } from './zipf.ts'

/** How users are chosen, each message anew. */
export type Subjects =
  | { readonly kind: 'uniform' }
  /** User k as often as k^-exponent says, so user 1 most. */
  | { readonly kind: 'zipf'; readonly exponent: number }
  /** From the ids in a file, each equally often. */
  | { readonly kind: 'file'; readonly path: string }

/** The user that the next message is for. */
export type NextUser = () => number

/** `uniform`, `zipf:1.1` or `file:ids.txt`. */
export function parseSubjects(text: string): Subjects | undefined {
  if (text === 'uniform') return { kind: 'uniform' }
  const [, kind, rest = ''] = /^(zipf|file):(.+)$/s.exec(text) ?? []
  if (kind === 'file') return { kind, path: rest }
  if (kind !== 'zipf' || !/^\d+(\.\d+)?$/.test(rest)) return undefined
  const exponent = Number(rest)
  return exponent > 0 && exponent <= genLimits.zipfExponentMax ? { kind, exponent } : undefined
}

/**
 * Makes the source; a file is read whole first.
 *
 * @param users how many there are, from 1; a file names its own
 * @returns the source, or why there is none
 */
export async function openSubjects(
  subjects: Subjects,
  users: number,
  random: RandomBelow,
): Promise<NextUser | string> {
  if (subjects.kind === 'uniform') return uniform(users, random)
  if (subjects.kind === 'zipf') return zipf(users, subjects.exponent, random)
  const ids = await readIds(subjects.path)
  return typeof ids === 'string' ? ids : () => ids[random(ids.length)] ?? 1
}

export function uniform(users: number, random: RandomBelow): NextUser {
  return () => 1 + random(users)
}

/** The ids of a file, or what is wrong with it. */
async function readIds(path: string): Promise<Uint32Array | string> {
  const ids = new IdReader()
  try {
    const reader = Bun.file(path).stream().getReader()
    while (ids.problem === null) {
      const read = await settledWithin(reader.read(), genLimits.subjectsMsMax)
      if (read === undefined) return `${path} has given nothing for ${genLimits.subjectsMsMax} ms`
      if (read.done) break
      ids.push(read.value)
    }
    if (ids.problem !== null) await reader.cancel()
  } catch (error) {
    return `${path} cannot be read (${(error as { code?: string }).code ?? 'no reason given'})`
  }
  ids.end()
  return ids.problem === null ? ids.all() : `${path}${ids.problem}`
}

/** Reads ids, one a line; blank lines and those with a `#` in front are passed over. */
class IdReader {
  /** The first thing that is wrong, as it goes on behind the name of the file. */
  problem: string | null = null
  #ids = new Uint32Array(1_024)
  #count = 0
  readonly #decoder = new TextDecoder()
  readonly #splitter = new LineSplitter(genLimits.subjectLineBytesMax, (line, number) => {
    this.problem ??= this.#take(line, number)
  })

  push(bytes: Uint8Array): void {
    this.#splitter.push(bytes)
  }

  end(): void {
    this.#splitter.end()
    if (this.#count === 0) this.problem ??= ' has no ids, one a line'
  }

  all(): Uint32Array {
    return this.#ids.slice(0, this.#count)
  }

  /** What is wrong with a line, if anything. */
  #take(line: Uint8Array | null, number: number): string | null {
    const text = line === null ? null : this.#decoder.decode(line).trim()
    if (text === '' || text?.startsWith('#')) return null
    const user = text === null ? null : parseUserId(text, messageLimits.userIdMax)
    if (user?.ok !== true) {
      return `, line ${number}: this is no user id, a whole number from 1 to ${messageLimits.userIdMax}`
    }
    if (this.#count >= genLimits.subjectsMax) return ` has more than ${genLimits.subjectsMax} ids`
    this.#add(user.value)
    return null
  }

  #add(id: number): void {
    if (this.#count === this.#ids.length) {
      const larger = new Uint32Array(2 * this.#ids.length)
      larger.set(this.#ids)
      this.#ids = larger
    }
    this.#ids[this.#count++] = id
  }
}
