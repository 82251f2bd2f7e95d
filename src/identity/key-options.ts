// The options that name the keys of clients' tokens, for the server and for `comet token`, and what
// the files have.

import { list, text, type ValueOption, type Values } from '../cli/option.ts'
import { readableWarning, readSecret, type SecretRule } from '../cli/secret.ts'
import { isLoopbackHost } from '../core/address.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { TokenKey, TokenRules } from '../hub/settings.ts'
import { readSmallFile } from '../os/file.ts'
import { checkUnnamed, parseKeys, secretKey } from './keys.ts'

export const SECRET_OPTION = 'jwt-secret-file'
export const KEY_OPTION = 'jwt-key-file'

export const secretFileOption = text(
  'file',
  null,
  "file with the secret that clients' tokens are signed with, by HS256",
)

export const keyFileOption = text(
  'file',
  null,
  "file with the public keys of clients' tokens (PEM, JWK or JWKS), for RS256, ES256 or EdDSA",
)

export const jwksUrlOption: ValueOption<string, null> = {
  ...text('url', null, 'where their issuer publishes a JWKS; fetched again once a minute at most'),
  parse: (given) => (isKeysUrl(given) ? given : undefined),
  expected: 'a URL like https://issuer.example/.well-known/jwks.json',
}

/** On loopback nobody else can answer, and https would need a certificate. */
function isKeysUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
}

export const RULE_OPTIONS = {
  'jwt-issuer': list(text('iss', null, "issuer that clients' tokens must name, or one of several")),
  'jwt-audience': list(
    text('aud', null, "audience that clients' tokens must name, or one of several"),
  ),
} as const

export const SECRET_RULE: SecretRule = {
  what: 'secret',
  option: SECRET_OPTION,
  lengthMin: identityLimits.secretBytesMin,
  lengthMax: identityLimits.secretBytesMax,
  // Containers get their secrets in files that others can read.
  mayBeReadable: true,
}

export interface KeyFiles {
  readonly [SECRET_OPTION]: string | null
  readonly [KEY_OPTION]: string | null
}

/** What the files of the options have. */
export interface ReadKeys {
  readonly keys: readonly TokenKey[]
  /** About a file that other users can read. */
  readonly warning: string | null
}

export function readKeys(files: KeyFiles): Result<ReadKeys> {
  const keys: TokenKey[] = []
  let warning: string | null = null
  const secretPath = files[SECRET_OPTION]
  if (secretPath !== null) {
    const read = readSecret(secretPath, SECRET_RULE)
    if (!read.ok) return read
    keys.push(secretKey(read.value.secret))
    warning = read.value.warning
  }
  const keyPath = files[KEY_OPTION]
  if (keyPath !== null) {
    const file = readSmallFile(keyPath)
    const read = file.ok ? parseKeys(file.value.text) : file
    if (!read.ok) return refused(`the key file ${keyPath} ${read.why}`)
    keys.push(...read.value)
    const hasSecret = read.value.some(({ algorithm }) => algorithm === 'HS256')
    if (hasSecret && file.ok && file.value.isOpenToOthers) warning = readableWarning('key', keyPath)
  }
  const checked = checkUnnamed(keys)
  return checked.ok ? success({ keys, warning }) : refused(`what signs tokens ${checked.why}`)
}

export function tokenRules(values: Values<typeof RULE_OPTIONS>): TokenRules {
  return { issuers: values['jwt-issuer'], audiences: values['jwt-audience'] }
}
