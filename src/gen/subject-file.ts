// The users of `--subjects file:`, read before anything is sent and kept until the end: numbers in
// a typed array, and names beside it.

import { viewOf } from '../core/bytes.ts'
import { settledWithin } from '../core/deadline.ts'
import { messageLimits } from '../core/limits.ts'
import { LineSplitter } from '../core/lines.ts'
import { NAME_RULE } from '../core/name.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { genLimits } from '../core/tool-limits.ts'
import { grown } from '../core/typed-array.ts'
import { parseSubject, type Subject } from '../core/user.ts'

export class SubjectList {
  count = 0
  /** The number of a user; of one with a name the complement of its place, which is negative. */
  #users = new Int32Array(1_024)
  readonly #names: string[] = []

  /** Hot path: once a message. */
  at(place: number): Subject {
    const user = this.#users[place] as number
    return user < 0 ? (this.#names[~user] as string) : user
  }

  add(user: Subject): Result<void> {
    const { subjectsMax, subjectNamesMax } = genLimits
    if (this.count >= subjectsMax) return refused(`more than ${subjectsMax} ids`)
    const isNamed = typeof user === 'string'
    if (isNamed && this.#names.length >= subjectNamesMax) {
      return refused(`more than ${subjectNamesMax} names`)
    }
    if (this.count === this.#users.length) this.#users = grown(this.#users, 2 * this.count)
    this.#users[this.count++] = isNamed ? ~(this.#names.push(user) - 1) : user
    return OK
  }
}

const { userIdMax } = messageLimits
const NO_SUBJECT = `this is neither a whole number from 1 to ${userIdMax} nor ${NAME_RULE}`

/** Reads users, one a line; ignores blank lines and those that begin with `#`. */
export async function readSubjects(path: string): Promise<Result<SubjectList>> {
  const list = new SubjectList()
  let problem: string | null = null
  const decoder = new TextDecoder()
  const splitter = new LineSplitter(genLimits.subjectLineBytesMax, (line, number) => {
    const text = line === null ? null : decoder.decode(viewOf(line)).trim()
    if (problem !== null || text === '' || text?.startsWith('#')) return
    const user = parseSubject(text ?? '', userIdMax)
    const added = user.ok ? list.add(user.value) : null
    if (added === null) problem = `, line ${number}: ${NO_SUBJECT}`
    else if (!added.ok) problem = ` has ${added.why}`
  })
  try {
    const reader = Bun.file(path).stream().getReader()
    while (problem === null) {
      const read = await settledWithin(reader.read(), genLimits.subjectsMsMax)
      if (read === undefined) {
        return refused(`${path} has given nothing for ${genLimits.subjectsMsMax} ms`)
      }
      if (read.done) break
      splitter.push(read.value)
    }
    if (problem === null) splitter.end()
    else await reader.cancel()
  } catch (error) {
    return refused(`${path} cannot be read (${codeOf(error) ?? 'no reason given'})`)
  }
  if (list.count === 0) problem ??= ' has no ids, one a line'
  return problem === null ? success(list) : refused(path + problem)
}
