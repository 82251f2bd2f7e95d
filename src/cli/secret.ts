// Secrets in files that an option names: the tokens of the control port, the cookie of Erlang
// nodes, the secret of clients' tokens. No message shows one.

import { type ControlToken, parseControlTokens } from '../core/control-token.ts'
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
  const warning = readableWarning(what, path)
  const { text: content, isOpenToOthers } = file.value
  if (isOpenToOthers && !rule.mayBeReadable) return refused(warning)
  const checked = checkSecret(content.replace(/[\r\n]+$/, ''), `the ${what} in ${path}`, rule)
  return checked.ok && isOpenToOthers ? success({ ...checked.value, warning }) : checked
}

export function readableWarning(what: string, path: string): string {
  return `the ${what} file ${path} can be read by others; chmod 400 ${path}`
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

/** For commands that send the token. */
export const tokenOption = text('file', null, 'the file with the token of the control port')

export interface ControlTokens {
  readonly tokens: readonly ControlToken[]
  readonly warning: string | null
}

/** Reads the tokens of the control port; none without a file. */
export function readTokens(path: string | null): Result<ControlTokens> {
  if (path === null) return success({ tokens: [], warning: null })
  const file = readSmallFile(path)
  const tokens = file.ok ? parseControlTokens(file.value.text) : file
  if (!tokens.ok) {
    return refused(`the token file ${path} ${tokens.why}; name another with --${TOKEN_OPTION}`)
  }
  // Containers get their secrets in files that others can read.
  const warning = file.ok && file.value.isOpenToOthers ? readableWarning('token', path) : null
  return success({ tokens: tokens.value, warning })
}

/** Null without a file. */
export interface Token {
  readonly token: string | null
  readonly warning: string | null
}

/** Reads the token that a command sends. */
export function readToken(path: string | null): Result<Token> {
  const read = readTokens(path)
  if (!read.ok) return read
  const { tokens, warning } = read.value
  if (tokens.length > 1) return refused(`the token file ${path} has several tokens; give it one`)
  return success({ token: tokens[0]?.token ?? null, warning })
}
