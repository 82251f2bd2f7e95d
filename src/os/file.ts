// Small files that people write: options, secrets, certificates. Anything but a regular file, or a
// longer one, is not read, since it could block the process.

import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { fileLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOrThrow } from '../core/system-error.ts'

export interface SmallFile {
  readonly text: string
  /** Whether its mode gives access to others than its owner. */
  readonly isOpenToOthers: boolean
}

export function readSmallFile(path: string): Result<SmallFile> {
  try {
    const status = statSync(path)
    if (!status.isFile()) return refused('is no file')
    if (status.size > fileLimits.bytesMax) {
      return refused(`is longer than ${fileLimits.bytesMax} bytes`)
    }
    const isOpenToOthers = (status.mode & 0o077) !== 0
    const bytes = readFileSync(path)
    if (!isUtf8(bytes)) return refused('is not UTF-8; save it as that')
    return success({ text: bytes.toString('utf8'), isOpenToOthers })
  } catch (error) {
    const code = codeOrThrow(error)
    return refused(code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`)
  }
}
