// This process's command line as everybody on the machine can see it, with `ps` and in /proc: takes a
// secret out of it.

import { type Pointer, toArrayBuffer } from 'bun:ffi'
import { readFileSync } from 'node:fs'

/** In proc_pid_stat(5), counted from 1: where the arguments lie in memory, and where they end. */
const ARG_START_FIELD = 48
const ARG_END_FIELD = 49
/** The second field, a name in brackets, may hold blanks; what follows it is counted from here. */
const FIRST_FIELD_BEHIND_NAME = 3

const MASK = '*'.charCodeAt(0)

/**
 * Writes stars over the value of an option, whether it stands behind the option's name or behind an
 * equals sign. The arguments that the program itself has been given stay as they are.
 *
 * @returns false where the arguments cannot be reached: then the value stays to be seen
 */
export function hideOptionValue(option: string): boolean {
  if (process.platform !== 'linux') return false
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const start = Number(fields[ARG_START_FIELD - FIRST_FIELD_BEHIND_NAME])
  const end = Number(fields[ARG_END_FIELD - FIRST_FIELD_BEHIND_NAME])
  // Zero where the kernel does not tell.
  if (!(start > 0 && end > start)) return false
  maskValue(new Uint8Array(toArrayBuffer(start as Pointer, 0, end - start)), option)
  return true
}

/** The same in bytes that hold arguments with a zero behind each. */
export function maskValue(args: Uint8Array, option: string): void {
  const name = new TextEncoder().encode(option)
  let isValue = false
  for (let begin = 0; begin < args.length; ) {
    const zero = args.indexOf(0, begin)
    const end = zero < 0 ? args.length : zero
    const arg = args.subarray(begin, end)
    const isNamed = name.every((byte, at) => arg[at] === byte)
    if (isValue) arg.fill(MASK)
    else if (isNamed && arg[name.length] === '='.charCodeAt(0)) arg.fill(MASK, name.length + 1)
    isValue = !isValue && isNamed && arg.length === name.length
    begin = end + 1
  }
}
