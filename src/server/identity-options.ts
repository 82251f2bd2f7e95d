// The options of `comet serve` about who may open which stream, and whether the public port may be
// opened with them.

import { commaSeparated, flag, originOr, type Values } from '../cli/option.ts'
import type { Address } from '../core/address.ts'
import { type Result, success } from '../core/result.ts'
import { checkPublicGuard, type IdentitySettings } from '../hub/settings.ts'
import {
  jwksUrlOption,
  keyFileOption,
  RULE_OPTIONS,
  readKeys,
  secretFileOption,
  tokenRules,
} from '../identity/key-options.ts'
import { ANY_ORIGIN } from '../public/cors.ts'

export const IDENTITY_OPTIONS = {
  anonymous: flag('let everyone who reaches the public port read every stream, off loopback too'),
  'jwt-secret-file': { ...secretFileOption, reload: 'value' },
  'jwt-key-file': { ...keyFileOption, reload: 'value' },
  'jwks-url': jwksUrlOption,
  'jwt-issuer': { ...RULE_OPTIONS['jwt-issuer'], reload: 'anything' },
  'jwt-audience': { ...RULE_OPTIONS['jwt-audience'], reload: 'anything' },
  'cors-origin': {
    ...commaSeparated(
      originOr(
        ANY_ORIGIN,
        'origins whose pages may open streams besides its own; * without cookies',
      ),
    ),
    reload: 'anything',
  },
} as const

type IdentityValues = Values<typeof IDENTITY_OPTIONS>

/** Only one of each pair may be given. */
export const IDENTITY_CONFLICTS = [
  ['anonymous', 'jwt-secret-file'],
  ['anonymous', 'jwt-key-file'],
  ['anonymous', 'jwks-url'],
] as const

/** May the public port be opened at these addresses? */
export function checkIdentity(values: IdentityValues, listen: readonly Address[]): Result<void> {
  const sources = [values['jwt-secret-file'], values['jwt-key-file'], values['jwks-url']]
  const hasKeys = sources.some((source) => source !== null)
  return checkPublicGuard(listen, hasKeys || values.anonymous)
}

export interface ReadIdentity {
  readonly identity: IdentitySettings | null
  /** About files that other users can read, and rules that allow more than they seem to. */
  readonly warnings: readonly string[]
}

/** RFC 8725 section 3.9. */
const NO_AUDIENCE =
  'without --jwt-audience the tokens that the issuer of --jwks-url makes for any other application ' +
  'are valid here, too'

/** Null without keys: then everyone may open every stream. */
export function identitySettings(values: IdentityValues): Result<ReadIdentity> {
  const read = readKeys(values)
  if (!read.ok) return read
  const { keys, warning } = read.value
  const keysUrl = values['jwks-url']
  const isOpen = keys.length === 0 && keysUrl === null
  const identity = isOpen ? null : { keys, keysUrl, remoteKeys: [], ...tokenRules(values) }
  const hasAudience = keysUrl === null || values['jwt-audience'].length > 0
  const warnings = [warning, hasAudience ? null : NO_AUDIENCE].filter((each) => each !== null)
  return success({ identity, warnings })
}
