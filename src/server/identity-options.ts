// The options of `comet serve` about who may open which stream, and whether the public port may be
// opened with them.

import { commaSeparated, flag, originOr, type Values } from '../cli/option.ts'
import type { Address } from '../core/address.ts'
import { type Result, success } from '../core/result.ts'
import { ANY_ORIGIN } from '../public/cors.ts'
import { checkPublicGuard, type IdentitySettings } from '../hub/settings.ts'
import {
  keyFileOption,
  RULE_OPTIONS,
  readKeys,
  secretFileOption,
  tokenRules,
} from '../identity/key-options.ts'

export const IDENTITY_OPTIONS = {
  anonymous: flag('let everyone who reaches the public port read every stream, off loopback too'),
  'jwt-secret-file': { ...secretFileOption, reload: 'value' },
  'jwt-key-file': { ...keyFileOption, reload: 'value' },
  'jwt-issuer': { ...RULE_OPTIONS['jwt-issuer'], reload: 'anything' },
  'jwt-audience': { ...RULE_OPTIONS['jwt-audience'], reload: 'anything' },
  'cors-origin': {
    ...commaSeparated(
      originOr(ANY_ORIGIN, 'origins whose pages may open streams besides its own; * without cookies'),
    ),
    reload: 'anything',
  },
} as const

type IdentityValues = Values<typeof IDENTITY_OPTIONS>

/** Only one of each pair may be given. */
export const IDENTITY_CONFLICTS = [
  ['anonymous', 'jwt-secret-file'],
  ['anonymous', 'jwt-key-file'],
] as const

/** May the public port be opened at these addresses? */
export function checkIdentity(values: IdentityValues, listen: readonly Address[]): Result<void> {
  const hasKeys = values['jwt-secret-file'] !== null || values['jwt-key-file'] !== null
  return checkPublicGuard(listen, hasKeys || values.anonymous)
}

export interface ReadIdentity {
  readonly identity: IdentitySettings | null
  /** About a file that other users can read. */
  readonly warning: string | null
}

/** Null without keys: then everyone may open every stream. */
export function identitySettings(values: IdentityValues): Result<ReadIdentity> {
  const read = readKeys(values)
  if (!read.ok) return read
  const { keys, warning } = read.value
  const identity = keys.length === 0 ? null : { keys, ...tokenRules(values) }
  return success({ identity, warning })
}
