// The options that name the Redis which nodes share, for the server and for the commands beside
// it, and what the files have.

import { busLimits, redisLimits } from '../core/bus-limits.ts'
import { NAME_CHARACTERS } from '../core/name.ts'
import { parseRedisUrl, type RedisAddress } from '../core/redis-address.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { readSmallFile } from '../os/file.ts'
import { text, type ValueOption, type Values } from './option.ts'
import { readSecret, type SecretRule } from './secret.ts'

const PASSWORD_OPTION = 'bus-password-file'

/** Every user of the machine sees the command line, and `comet config` shows the rest. */
const NO_PASSWORD = `a password does not belong in it: name its file with --${PASSWORD_OPTION}`

/** Without a password. */
function redisUrl(description: string): ValueOption<RedisAddress, null> {
  return {
    value: 'url',
    description,
    fallback: null,
    parse(given) {
      const read = parseRedisUrl(given)
      return read.ok && read.value.password === null ? read.value : undefined
    },
    expected: 'a URL like redis://cache.example:6379/0, or rediss://comet@cache.example for TLS',
    hint(given) {
      const hasPassword = /^\w*:\/\/[^@]*:.*@/s.test(given)
      return hasPassword ? NO_PASSWORD : null
    },
  }
}

/** Glob characters would match other keys in the rules of a user, and braces are of clusters. */
const PREFIX = new RegExp(`^[A-Za-z0-9._:@-]{1,${busLimits.prefixLengthMax}}$`)

const prefixOption: ValueOption<string, 'comet:'> = {
  ...text('text', 'comet:', 'prefix of all its keys; give each cluster its own'),
  parse: (given) => (PREFIX.test(given) ? given : undefined),
  expected: `up to ${busLimits.prefixLengthMax} ${NAME_CHARACTERS}`,
}

export const REDIS_OPTIONS = {
  bus: redisUrl('Redis or Valkey that the nodes of a cluster share'),
  [PASSWORD_OPTION]: text('file', null, 'file with the password of its user'),
  'bus-ca-file': text(
    'file',
    null,
    "certificates in PEM that its own is checked by (default: the system's)",
  ),
  'bus-prefix': prefixOption,
} as const

export type RedisValues = Values<typeof REDIS_OPTIONS>

const PASSWORD: SecretRule = {
  what: 'password',
  option: PASSWORD_OPTION,
  lengthMin: 1,
  lengthMax: redisLimits.passwordLengthMax,
  // Containers get their secrets in files that others can read.
  mayBeReadable: true,
}

/** Are these options valid together? The prefix has a default, and is none without the rest. */
export function checkRedis(values: RedisValues): Result<void> {
  const { bus } = values
  if (bus === null) return checkAlone(values, [PASSWORD_OPTION, 'bus-ca-file'])
  if (bus.user !== null && values[PASSWORD_OPTION] === null) {
    return refused(`--bus has the user ${bus.user}, whose password --${PASSWORD_OPTION} names`)
  }
  if (values['bus-ca-file'] === null || bus.isTls) return OK
  return refused('--bus-ca-file is for TLS, which --bus has with rediss:// instead of redis://')
}

/** None of these options may be given without a Redis. */
export function checkAlone<Name extends string>(
  values: Readonly<Record<Name, unknown>>,
  names: readonly Name[],
): Result<void> {
  const given = names.find((name) => values[name] !== null && values[name] !== false)
  if (given === undefined) return OK
  return refused(`--${given} requires --bus, the Redis that nodes share`)
}

export interface ReadRedis {
  /** With its password and authorities. */
  readonly address: RedisAddress
  /** About a file that other users can read. */
  readonly warnings: readonly string[]
}

/**
 * The address of --bus, with what the files have.
 *
 * @param values that are valid together
 */
export function readRedis(bus: RedisAddress, values: RedisValues): Result<ReadRedis> {
  const passwordPath = values[PASSWORD_OPTION]
  const read = passwordPath === null ? null : readSecret(passwordPath, PASSWORD)
  if (read?.ok === false) return read
  const authorities = readAuthorities(values['bus-ca-file'])
  if (!authorities.ok) return authorities
  const password = read?.value.secret ?? null
  const warning = read?.value.warning ?? null
  return success({
    address: { ...bus, password, authorities: authorities.value },
    warnings: warning === null ? [] : [warning],
  })
}

function readAuthorities(path: string | null): Result<string | null> {
  if (path === null) return success(null)
  const file = readSmallFile(path)
  if (!file.ok) return refused(`the certificate file ${path} ${file.why}`)
  const { text: pem } = file.value
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return success(pem)
  return refused(`the certificate file ${path} has no certificate in PEM`)
}
