// Where Redis is and how to log in there, from what people write.

import { type Result, refused, success } from './result.ts'

export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly database: number
  readonly isTls: boolean
  /** Null for the user `default`. */
  readonly user: string | null
  readonly password: string | null
  /** PEM of the authorities that may have signed its certificate; null for those of the system. */
  readonly authorities: string | null
}

const DEFAULT_PORT = 6379
const RULE = 'redis://[user@]host[:port][/database], or rediss:// for TLS'

/** Reads `redis://host:6379/0` and its like. */
export function parseRedisUrl(text: string): Result<RedisAddress> {
  // Of a scheme that it does not know, `URL` checks next to nothing.
  const found =
    /^(rediss?):\/\/(?:([^@/]*)@)?(\[[0-9a-fA-F:.]+\]|[^:@/?#]+)(:\d+)?(?:\/(\d*))?$/.exec(text)
  if (found === null) return refused(`The address of Redis is ${RULE}.`)
  const [, scheme, userInfo = '', host = '', portText = '', databaseText = ''] = found
  const port = portText === '' ? DEFAULT_PORT : Number(portText.slice(1))
  if (port < 1 || port > 65_535) return refused('The port of Redis is from 1 to 65535.')
  const [user, password] = userInfo.split(/:(.*)/s)
  try {
    return success({
      host,
      port,
      database: Number(databaseText),
      isTls: scheme === 'rediss',
      user: user === undefined || user === '' ? null : decodeURIComponent(user),
      password: password === undefined ? null : decodeURIComponent(password),
      authorities: null,
    })
  } catch {
    return refused('A % in the user or password of Redis is written as %25.')
  }
}

/** For logs and errors: without user and password. */
export function redisName({ host, port }: RedisAddress): string {
  return `Redis at ${host}:${port}`
}

/** As Bun's client wants it. */
export function clientUrl(address: RedisAddress): string {
  const { user, password } = address
  return password === null
    ? urlOf(address, '')
    : urlOf(address, `${encodeURIComponent(user ?? 'default')}:${encodeURIComponent(password)}@`)
}

/** As people write it, who keep the password in a file. */
export function writtenUrl(address: RedisAddress): string {
  return urlOf(address, address.user === null ? '' : `${encodeURIComponent(address.user)}@`)
}

function urlOf({ host, port, database, isTls }: RedisAddress, login: string): string {
  return `${isTls ? 'rediss' : 'redis'}://${login}${host}:${port}/${database}`
}
