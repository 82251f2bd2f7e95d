// `comet token`: the options of its commands, which make and check the tokens of clients.

import { command, group } from '../cli/command.ts'
import { commaSeparated, duration, text, type ValueOption } from '../cli/option.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { isPattern, isSubject, NAME_RULE } from '../core/name.ts'
import { OK, type Result, refused } from '../core/result.ts'
import {
  jwksUrlOption,
  KEY_OPTION,
  keyFileOption,
  RULE_OPTIONS,
  SECRET_OPTION,
  secretFileOption,
} from '../identity/key-options.ts'

const pattern: ValueOption<string, null> = {
  ...text('subject', null, 'further subjects that it may read; * at the end stands for any rest'),
  parse: (given) => (isPattern(given) ? given : undefined),
  expected: "a subject like news or 42, or the beginning of some like 'room:*'",
}

const user: ValueOption<string, null> = {
  ...text('user', null, 'the user whose stream it opens'),
  parse: (given) => (isSubject(given) ? given : undefined),
  expected: `a number like 123, or ${NAME_RULE}`,
}

export const CREATE = {
  user,
  read: commaSeparated(pattern),
  ttl: duration('1h', 'time until it expires', {
    minMs: 1_000,
    maxMs: identityLimits.ttlSecondsMax * 1_000,
  }),
  [SECRET_OPTION]: secretFileOption,
  [KEY_OPTION]: {
    ...keyFileOption,
    description: 'file with the private key to sign it with: PEM or a JWK',
  },
  issuer: text('iss', null, 'its issuer'),
  audience: text('aud', null, 'whom it is for'),
  'key-id': text('kid', null, "the id of the key, if not the JWK's own"),
} as const

const create = command({
  name: 'create',
  summary: 'make a token and print it',
  options: CREATE,
  conflicts: [[SECRET_OPTION, KEY_OPTION]],
  validate: (values) =>
    values.user === null ? refused('give --user, whose stream it opens') : needsKey(values),
  examples: [
    'comet token create --user 123 --jwt-secret-file secret --ttl 10min',
    "comet token create --user 123 --read 'room:*,news' --jwt-key-file private.pem",
    'comet token create --user 123 --jwt-secret-file secret > token',
  ],
  load: async () => ({ run: (await import('./create.ts')).create }),
})

export const CHECK = {
  [SECRET_OPTION]: secretFileOption,
  [KEY_OPTION]: keyFileOption,
  'jwks-url': jwksUrlOption,
  ...RULE_OPTIONS,
} as const

const check = command({
  name: 'check',
  summary: 'check a token by its keys; exit 0 and print what it allows, if it is valid',
  argument: { name: 'token', description: 'the token; - for standard input', fallback: '-' },
  options: CHECK,
  validate: (values) => (values['jwks-url'] === null ? needsKey(values) : OK),
  examples: [
    'comet token check eyJhbGciOi... --jwt-secret-file secret',
    'pbpaste | comet token check --jwt-key-file public.pem',
  ],
  load: async () => ({ run: (await import('./check.ts')).check }),
})

export const token = group(
  'token',
  { summary: 'the tokens of clients: make and check them', purpose: 'Serve, publish, listen' },
  [create, check],
)

function needsKey(values: {
  readonly [SECRET_OPTION]: string | null
  readonly [KEY_OPTION]: string | null
}): Result<void> {
  if (values[SECRET_OPTION] !== null || values[KEY_OPTION] !== null) return OK
  return refused(`give --${SECRET_OPTION} or --${KEY_OPTION}`)
}
