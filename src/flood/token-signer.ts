// The token of each stream's user: a JWT signed by HS256 (RFC 7515, RFC 7519). By Bun's own hash,
// since a flood has a hundred processes and node:crypto takes a megabyte of each.

import { userOf } from './plan.ts'

/** How long a token is valid; it is signed anew for each connection. */
const TTL_SECONDS = 3_600

/** Of a user's name with 64 characters, and the other fields. */
export const TOKEN_BYTES_MAX = 512

const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')

export class TokenSigner {
  readonly #secret: string
  /** The user of a stream, with `{id}` in it. */
  readonly #user: string
  readonly #nowMs: () => number

  /** @param pathTemplate of the address of streams */
  constructor(secret: string, pathTemplate: string, nowMs: () => number = Date.now) {
    this.#secret = secret
    this.#user = userOf(pathTemplate) ?? '{id}'
    this.#nowMs = nowMs
  }

  /** Once a connection; it takes about four microseconds. */
  tokenOf(id: number): string {
    const now = Math.floor(this.#nowMs() / 1_000)
    const sub = this.#user.replaceAll('{id}', String(id))
    // A name of a user has nothing that JSON would escape.
    const claims = `{"sub":"${sub}","iat":${now},"exp":${now + TTL_SECONDS}}`
    const signed = `${HEADER}.${Buffer.from(claims).toString('base64url')}`
    const hash = new Bun.CryptoHasher('sha256', this.#secret).update(signed)
    return `${signed}.${hash.digest('base64url')}`
  }
}
