// Standard input, read whole within a bound.

import { type Result, refused, success } from '../core/result.ts'
import { codeOrThrow } from '../core/system-error.ts'

/** Its bytes, or why there are none: more than `bytesMax`, or what cannot be read. */
export async function readStandardInput(bytesMax: number): Promise<Result<Buffer>> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of Bun.stdin.stream()) {
      length += part.length
      if (length > bytesMax) return refused(`standard input has more than ${bytesMax} bytes`)
      parts.push(part)
    }
  } catch (error) {
    return refused(`standard input cannot be read (${codeOrThrow(error)})`)
  }
  return success(Buffer.concat(parts))
}
