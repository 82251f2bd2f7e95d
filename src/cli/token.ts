// The token of the control port, in the file that an option names: for the server that asks for it and
// for the commands that show it.

import { streamLimits } from '../core/limits.ts'
import { text } from './option.ts'
import { readSecret, type SecretRule } from './secret.ts'

export const TOKEN_OPTION = 'control-token-file'

const TOKEN: SecretRule = {
  what: 'token',
  option: TOKEN_OPTION,
  lengthMin: streamLimits.controlTokenLengthMin,
  lengthMax: streamLimits.controlTokenLengthMax,
  // Containers are given their secrets so.
  mayBeReadable: true,
}

/** The option of a command that shows a token. */
export const showsToken = text('file', null, 'the file of the token that the control port asks for')

/** A token, none, or why the file has none that can be used. */
export type Token =
  | { readonly token: string | null; readonly warning: string | null }
  | { readonly why: string }

export function readToken(path: string | null): Token {
  if (path === null) return { token: null, warning: null }
  const read = readSecret(path, TOKEN)
  return 'why' in read ? read : { token: read.secret, warning: read.warning }
}
