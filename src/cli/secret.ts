// Secrets that lie in files, for the options that name one: only their owner may be able to read them,
// and no message shows them.

import { readFileSync, statSync } from 'node:fs'

export type Secret = { readonly secret: string } | { readonly why: string }

export interface SecretRule {
  /** What it is, in words. */
  readonly what: string
  /** The option that names another file. */
  readonly option: string
  readonly lengthMin: number
  readonly lengthMax: number
}

/** Reads a file's secret, without the line's end behind it. */
export function readSecret(path: string, rule: SecretRule): Secret {
  const { what, option } = rule
  try {
    // As Erlang and ssh have it: who can read it can do everything that it allows.
    if ((statSync(path).mode & 0o077) !== 0) {
      return { why: `the ${what} file ${path} can be read by others; chmod 400 ${path}` }
    }
    return checkSecret(
      readFileSync(path, 'latin1').replace(/[\r\n]+$/, ''),
      `the ${what} in ${path}`,
      rule,
    )
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const why = error.code === 'ENOENT' ? 'is not there' : `cannot be read (${error.code})`
    return { why: `the ${what} file ${path} ${why}; name another with --${option}` }
  }
}

/** @param which in words; the secret itself must not get into any */
export function checkSecret(secret: string, which: string, rule: SecretRule): Secret {
  const { what, lengthMin, lengthMax } = rule
  if (secret === '') return { why: `${which} is empty` }
  if (secret.length < lengthMin) return { why: `${which} is shorter than ${lengthMin} characters` }
  if (secret.length > lengthMax) return { why: `${which} is longer than ${lengthMax} characters` }
  if (!/^[ -~]+$/.test(secret)) return { why: `${which} has characters that no ${what} has` }
  return { secret }
}
