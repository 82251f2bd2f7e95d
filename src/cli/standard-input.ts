// Standard input, read whole within a bound.

import { readWithin } from '../core/bounded-read.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOrThrow } from '../core/system-error.ts'

/** Its bytes, or why there are none: more than `bytesMax`, or what cannot be read. */
export async function readStandardInput(bytesMax: number): Promise<Result<Buffer>> {
  try {
    const bytes = await readWithin(Bun.stdin.stream(), bytesMax)
    return bytes === null
      ? refused(`standard input has more than ${bytesMax} bytes`)
      : success(bytes)
  } catch (error) {
    return refused(`standard input cannot be read (${codeOrThrow(error)})`)
  }
}
