// Who may use the control port: a request must be for a host that the port is known by, come from
// no page of another origin, and present the token. Decided from the head alone, before any route.

import { timingSafeEqual } from 'node:crypto'
import { isIpHost, isLoopbackHost, parseHost } from '../core/address.ts'
import type { ControlRole } from '../core/control-token.ts'
import { isSubject } from '../core/name.ts'
import { bearerToken } from '../http/bearer.ts'
import type { Head } from '../http/exchange.ts'
import type { Reply } from '../http/response.ts'
import { derived, type Settings } from '../hub/settings.ts'
import { refusalReply } from './answer.ts'

/**
 * Without a token: health, for probes that have no secret, and whose answer is one word; and the
 * pages, which hold no figure and ask their reader for the token.
 */
const OPEN_PATHS = new Set(['/livez', '/readyz', '/', '/try', '/manual'])
const OPEN_FOLDER = '/manual/'

export interface ControlAuthOptions {
  readonly settings: Settings<
    'controlAddress' | 'controlTokens' | 'controlHosts' | 'controlOrigins'
  >
  /** Called with the reason of each refusal. */
  readonly onRefused: (why: string) => void
}

interface KnownHosts {
  readonly named: ReadonlySet<string>
  /** Of the last request that passed: mostly all have the same. */
  last: string | null
}

export class ControlAuth {
  readonly #onRefused: (why: string) => void
  /** The host of the port's own address. */
  readonly #host: string
  readonly #credentials: () => readonly Credential[]
  readonly #hosts: () => KnownHosts
  readonly #origins: () => ReadonlySet<string>

  constructor({ settings, onRefused }: ControlAuthOptions) {
    const { hostname } = settings.current.controlAddress
    this.#onRefused = onRefused
    this.#host = parseHost(hostname.includes(':') ? `[${hostname}]` : hostname) ?? hostname
    this.#credentials = derived(settings, ({ controlTokens }) =>
      controlTokens.map(({ role, token }) => ({ role, token: Buffer.from(token) })),
    )
    this.#hosts = derived(settings, ({ controlHosts }) => ({
      named: new Set(controlHosts),
      last: null,
    }))
    this.#origins = derived(settings, ({ controlOrigins }) => new Set(controlOrigins))
  }

  /**
   * The answer to a request that is refused; null for one that may pass. Hot path: once a request.
   */
  authorize(head: Head): Reply | null {
    const misdirected = this.#refuseHost(head)
    if (misdirected !== null) return misdirected
    const origin = head.header('origin')
    if (origin !== null && !isOwn(origin, head) && !this.#origins().has(origin)) {
      this.#onRefused(`a page of ${origin.slice(0, ORIGIN_LENGTH_MAX)} made it`)
      return refusalReply({
        code: 'foreign_origin',
        message:
          'Pages of other servers may not use this port, even in a local browser; --control-origin names those that may.',
      })
    }
    const credentials = this.#credentials()
    if (credentials.length === 0) return null
    const given = bearerToken(head.header('authorization'))
    const role = given === null ? null : roleOf(given, credentials)
    if (role === 'admin' || isOpen(head.path)) return null
    if (role !== null) return role === neededRole(head) ? null : this.#forbid(role)
    const { why, message, challenge } = given === null ? MISSING : WRONG
    this.#onRefused(why)
    return refusalReply({ code: 'unauthorized', message }, { 'www-authenticate': challenge })
  }

  #forbid(role: ControlRole): Reply {
    this.#onRefused(`its token is for ${role} alone`)
    return refusalReply(
      { code: 'forbidden', message: `This token is for ${role} alone.` },
      { 'www-authenticate': 'Bearer error="insufficient_scope"' },
    )
  }

  /**
   * A page may have its own name point at this port (DNS rebinding); to the browser it is then a
   * page of this port. So the name must be known.
   */
  #refuseHost({ host }: Head): Reply | null {
    // HTTP/1.0 does not require it, and every browser sends it.
    if (host === null || this.#isKnown(host)) return null
    this.#onRefused(`it is for ${host}`)
    return refusalReply({
      code: 'unknown_host',
      message: `This port is not known as ${host}; if it is to be, start comet with --control-host ${host}.`,
    })
  }

  #isKnown(host: string): boolean {
    const hosts = this.#hosts()
    if (host === hosts.last) return true
    const isKnown = hosts.named.has(host) || this.#isOwn(host)
    if (isKnown) hosts.last = host
    return isKnown
  }

  #isOwn(host: string): boolean {
    if (isLoopbackHost(host) || host === this.#host) return true
    // Off loopback it has as many addresses as this machine, and what stands before it; none is a
    // name.
    return isIpHost(host) && !isLoopbackHost(this.#host)
  }
}

function isOpen(path: string): boolean {
  return OPEN_PATHS.has(path) || path.startsWith(OPEN_FOLDER)
}

/** The challenges are those of RFC 6750 section 3. */
const MISSING = {
  why: 'it has no token',
  message: 'Send the token: Authorization: Bearer <token>.',
  challenge: 'Bearer',
}
const WRONG = {
  why: 'its token is wrong',
  message: 'The token is wrong.',
  challenge: 'Bearer error="invalid_token"',
}

/** What of an origin is worth a line of the log. */
const ORIGIN_LENGTH_MAX = 200

/**
 * Is it a page of this port that asks? A browser names the origin of the page (RFC 6454), and any
 * page may make it ask a port that only this machine can reach.
 */
function isOwn(origin: string, head: Head): boolean {
  return /^https?:\/\/(.+)$/.exec(origin)?.[1] === head.header('host')
}

interface Credential {
  readonly role: ControlRole
  readonly token: Buffer
}

/**
 * All are compared, each in constant time, so that nothing is learnt from how long it takes but how
 * long they are.
 */
function roleOf(given: string, credentials: readonly Credential[]): ControlRole | null {
  const bytes = Buffer.from(given)
  let found: ControlRole | null = null
  for (const { role, token } of credentials) {
    if (bytes.length === token.length && timingSafeEqual(bytes, token)) found = role
  }
  return found
}

const PUBLISH_PATH = /^\/(?:messages|(?:users|subjects)\/([^/]+))$/

/** What a request needs at least. To read changes nothing; to publish is a few routes. */
function neededRole({ method, path }: Head): ControlRole {
  if (method === 'GET' || method === 'HEAD') return 'read'
  const publishing = method === 'POST' ? PUBLISH_PATH.exec(path) : null
  if (publishing === null) return 'admin'
  const [, subject] = publishing
  // What is none could be another path to those who route it.
  return subject === undefined || isSubject(subject) ? 'publish' : 'admin'
}
