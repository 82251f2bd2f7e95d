// Small files that people write: options, secrets, certificates. Anything but a regular file, or a
// longer one, is not read, since it could block the process.

import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { fileLimits } from '../core/limits.ts'

/**
 * Its text, and whether its mode gives access to others than its owner; or why it cannot be read.
 */
export type SmallFile =
  | { readonly ok: true; readonly text: string; readonly isOpenToOthers: boolean }
  | { readonly ok: false; readonly why: string; readonly isMissing: boolean }

export function readSmallFile(path: string): SmallFile {
  try {
    const status = statSync(path)
    if (!status.isFile()) return none('is no file')
    if (status.size > fileLimits.bytesMax) {
      return none(`is longer than ${fileLimits.bytesMax} bytes`)
    }
    const isOpenToOthers = (status.mode & 0o077) !== 0
    const bytes = readFileSync(path)
    if (!isUtf8(bytes)) return none('is not UTF-8; save it as that')
    return { ok: true, text: bytes.toString('utf8'), isOpenToOthers }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    return error.code === 'ENOENT'
      ? none('is not there', true)
      : none(`cannot be read (${error.code})`)
  }
}

function none(why: string, isMissing = false): SmallFile {
  return { ok: false, why, isMissing }
}
