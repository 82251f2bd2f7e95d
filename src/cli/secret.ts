// Secrets in files that an option names: the token of the control port, the cookie of Erlang nodes.
// No message shows one.

import { streamLimits } from '../core/limits.ts'
import { refused } from '../core/result.ts'
import { readSmallFile } from '../os/file.ts'
import { text } from './option.ts'

export type Secret =
  | { readonly ok: true; readonly secret: string; readonly warning: string | null }
  | { readonly ok: false; readonly why: string }

export interface SecretRule {
  /** What it is, for messages. */
  readonly what: string
  /** The option that names another file. */
  readonly option: string
  readonly lengthMin: number
  readonly lengthMax: number
  /** If other users can read the file, is that only a warning? */
  readonly mayBeReadable: boolean
}

/** Reads the secret in a file, without the end of its line. */
export function readSecret(path: string, rule: SecretRule): Secret {
  const { what, option } = rule
  const file = readSmallFile(path)
  if (!file.ok) {
    return refused(`the ${what} file ${path} ${file.why}; name another with --${option}`)
  }
  const warning = `the ${what} file ${path} can be read by others; chmod 400 ${path}`
  const { text: content, isOpenToOthers } = file.value
  if (isOpenToOthers && !rule.mayBeReadable) return refused(warning)
  const checked = checkSecret(content.replace(/[\r\n]+$/, ''), `the ${what} in ${path}`, rule)
  return checked.ok && isOpenToOthers ? { ...checked, warning } : checked
}

/** @param which names the secret in messages, which must not have the secret itself */
export function checkSecret(secret: string, which: string, rule: SecretRule): Secret {
  const { what, lengthMin, lengthMax } = rule
  if (secret === '') return refused(`${which} is empty`)
  if (secret.length < lengthMin) return refused(`${which} is shorter than ${lengthMin} characters`)
  if (secret.length > lengthMax) return refused(`${which} is longer than ${lengthMax} characters`)
  if (!/^[ -~]+$/.test(secret)) return refused(`${which} has characters that a ${what} cannot have`)
  return { ok: true, secret, warning: null }
}

export const TOKEN_OPTION = 'control-token-file'

const TOKEN: SecretRule = {
  what: 'token',
  option: TOKEN_OPTION,
  lengthMin: streamLimits.controlTokenLengthMin,
  lengthMax: streamLimits.controlTokenLengthMax,
  // Containers get their secrets in files that others can read.
  mayBeReadable: true,
}

/** For commands that send the token. */
export const tokenOption = text('file', null, 'the file with the token of the control port')

/** A token, or null; or why the file has none that can be used. */
export type Token =
  | { readonly ok: true; readonly token: string | null; readonly warning: string | null }
  | { readonly ok: false; readonly why: string }

export function readToken(path: string | null): Token {
  if (path === null) return { ok: true, token: null, warning: null }
  const read = readSecret(path, TOKEN)
  return read.ok ? { ok: true, token: read.secret, warning: read.warning } : read
}
