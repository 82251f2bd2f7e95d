// The names that users have by their numbers, for `comet gen --user-names`: a text around `{id}`.

import { identityLimits } from '../core/identity-limits.ts'
import { isName } from '../core/name.ts'
import { OK, type Result, refused } from '../core/result.ts'

/** What stands before and behind the number. Not one text, which would be searched each message. */
export interface UserNames {
  readonly before: string
  readonly after: string
}

/** Reads a text like `user-{id}`; undefined for one that gives no names. */
export function parseUserNames(text: string): UserNames | undefined {
  if (whyNoNames(text) !== null) return undefined
  const [before = '', after = ''] = text.split('{id}')
  return { before, after }
}

/** What is wrong with a text, whatever the numbers are; null if nothing is. */
export function whyNoNames(text: string): string | null {
  const parts = text.split('{id}')
  if (parts.length < 2) return 'this has no {id}'
  if (parts.length > 2) return 'this has {id} more than once'
  const around = parts.join('')
  const wrong = [...around].find((character) => !isName(`a${character}`))
  if (wrong !== undefined) return `no name has the character ${JSON.stringify(wrong)}`
  return /^\d*$/.test(around) ? 'this gives numbers, which are no names' : null
}

/** Is there a name for each number up to the highest, which has the longest one? */
export function checkLengths({ before, after }: UserNames, highest: number): Result<void> {
  const { length } = `${before}${highest}${after}`
  const { nameLengthMax } = identityLimits
  return length <= nameLengthMax
    ? OK
    : refused(
        `--user-names gives user ${highest} a name of ${length} characters, ` +
          `and a name has at most ${nameLengthMax}`,
      )
}
