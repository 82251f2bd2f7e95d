// Secrets in files that an option names: the token of the control port, the cookie of Erlang nodes.
// No message shows one.

import { streamLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { readSmallFile } from '../os/file.ts'
import { text } from './option.ts'

export interface Secret {
  readonly secret: string
  readonly warning: string | null
}

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
export function readSecret(path: string, rule: SecretRule): Result<Secret> {
  const { what, option } = rule
  const file = readSmallFile(path)
  if (!file.ok) {
    return refused(`the ${what} file ${path} ${file.why}; name another with --${option}`)
  }
  const warning = `the ${what} file ${path} can be read by others; chmod 400 ${path}`
  const { text: content, isOpenToOthers } = file.value
  if (isOpenToOthers && !rule.mayBeReadable) return refused(warning)
  const checked = checkSecret(content.replace(/[\r\n]+$/, ''), `the ${what} in ${path}`, rule)
  return checked.ok && isOpenToOthers ? success({ ...checked.value, warning }) : checked
}

/** @param which names the secret in messages, which must not have the secret itself */
export function checkSecret(secret: string, which: string, rule: SecretRule): Result<Secret> {
  const { what, lengthMin, lengthMax } = rule
  if (secret === '') return refused(`${which} is empty`)
  if (secret.length < lengthMin) return refused(`${which} is shorter than ${lengthMin} characters`)
  if (secret.length > lengthMax) return refused(`${which} is longer than ${lengthMax} characters`)
  if (!/^[ -~]+$/.test(secret)) return refused(`${which} has characters that a ${what} cannot have`)
  return success({ secret, warning: null })
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

/** Null without a file. */
export interface Token {
  readonly token: string | null
  readonly warning: string | null
}

export function readToken(path: string | null): Result<Token> {
  if (path === null) return success({ token: null, warning: null })
  const read = readSecret(path, TOKEN)
  return read.ok ? success({ token: read.value.secret, warning: read.value.warning }) : read
}
