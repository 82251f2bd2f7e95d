// Secrets that lie in files, for the options that name one: only their owner may be able to read them,
// and no message shows them.

import { readSmallFile } from '../os/file.ts'

export type Secret =
  | { readonly secret: string; readonly warning: string | null }
  | { readonly why: string }

export interface SecretRule {
  /** What it is, in words. */
  readonly what: string
  /** The option that names another file. */
  readonly option: string
  readonly lengthMin: number
  readonly lengthMax: number
  /** May others be able to read the file? Then that is only warned of. */
  readonly mayBeReadable: boolean
}

/** Reads a file's secret, without the line's end behind it. */
export function readSecret(path: string, rule: SecretRule): Secret {
  const { what, option } = rule
  const file = readSmallFile(path)
  if (!file.ok) {
    return { why: `the ${what} file ${path} ${file.why}; name another with --${option}` }
  }
  // Who can read it can do everything that it allows.
  const warning = `the ${what} file ${path} can be read by others; chmod 400 ${path}`
  if (file.isOpenToOthers && !rule.mayBeReadable) return { why: warning }
  const checked = checkSecret(file.text.replace(/[\r\n]+$/, ''), `the ${what} in ${path}`, rule)
  return 'why' in checked || !file.isOpenToOthers ? checked : { ...checked, warning }
}

/** @param which in words; the secret itself must not get into any */
export function checkSecret(secret: string, which: string, rule: SecretRule): Secret {
  const { what, lengthMin, lengthMax } = rule
  if (secret === '') return { why: `${which} is empty` }
  if (secret.length < lengthMin) return { why: `${which} is shorter than ${lengthMin} characters` }
  if (secret.length > lengthMax) return { why: `${which} is longer than ${lengthMax} characters` }
  if (!/^[ -~]+$/.test(secret)) return { why: `${which} has characters that no ${what} has` }
  return { secret, warning: null }
}
