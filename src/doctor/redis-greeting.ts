// The first words with what should be a Redis, over a bare socket: Bun's client does not tell a
// wrong password from a server that is away, from a wrong certificate or from something else.

import { infoFields } from '../bus/redis-info.ts'
import { settledWithin } from '../core/deadline.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { doctorLimits } from '../core/tool-limits.ts'

export interface Greeting {
  /** Does it ask for a password? */
  readonly asksForPassword: boolean
  /** What `INFO server` says; null if this user may not know. */
  readonly server: ReadonlyMap<string, string> | null
}

/** How far it went. */
export type GreetingStep = 'connection' | 'TLS' | 'protocol' | 'login'

export interface GreetingFailure {
  readonly step: GreetingStep
  readonly why: string
  /** What to do. */
  readonly cure: string
}

type Greeted = Result<Greeting, GreetingFailure>

/** @param timeoutMs for all of it */
export async function greet(address: RedisAddress, timeoutMs: number): Promise<Greeted> {
  const talk = new Talk(address)
  const greeted = await settledWithin(talk.greeting(), timeoutMs)
  talk.end()
  return greeted ?? talk.late(timeoutMs)
}

const START_REDIS = 'start Redis there, or correct the address'

/** Of connecting, by code: what it is, and what to do. */
const CONNECTION: Readonly<Record<string, readonly [string, string]>> = {
  ECONNREFUSED: ['nothing listens there', START_REDIS],
  ENOTFOUND: ['no such host', 'correct the address, or the name server'],
  EHOSTUNREACH: ['host unreachable', START_REDIS],
  ENETUNREACH: ['network unreachable', START_REDIS],
  ETIMEDOUT: ['no answer', START_REDIS],
}

const NO_TLS = 'give the port of TLS, or redis:// for none'

const OTHER_AUTHORITY = [
  'signed by nobody who is trusted here',
  'give the certificate of who signed it with --bus-ca-file',
] as const

/** Of a TLS handshake. */
const TLS: Readonly<Record<string, readonly [string, string]>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: OTHER_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: OTHER_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: OTHER_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OTHER_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OTHER_AUTHORITY,
  CERT_HAS_EXPIRED: ['the certificate has expired', 'renew it'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'the certificate is for another name',
    'give the name that it has in --bus',
  ],
  ECONNRESET: ['no TLS there', NO_TLS],
  ERR_BORINGSSL: ['not possible', 'give --bus-ca-file a certificate in PEM'],
}

/** Of the TLS library itself, whose texts end in a word like WRONG_VERSION_NUMBER. */
function otherTls({ message }: Error): readonly [string, string] {
  const word = message.split(':').at(-1) ?? ''
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP/.test(word)) return ['no TLS there', NO_TLS]
  return [`failed, ${word}`, 'see what the log of Redis says']
}

function failed(step: GreetingStep, [why, cure]: readonly [string, string]) {
  return refused({ step, why, cure })
}

/** One connection, from its opening until all is answered or nothing more comes. */
class Talk {
  readonly #address: RedisAddress
  readonly #greeted = Promise.withResolvers<Greeted>()
  #socket: Bun.Socket | null = null
  #isOver = false
  /** Was something sent? */
  #isSent = false
  /** Everything that was sent, a byte a character. */
  #text = ''

  constructor(address: RedisAddress) {
    this.#address = address
  }

  async greeting(): Promise<Greeted> {
    const { host, port, isTls, authorities } = this.#address
    try {
      this.#socket = await Bun.connect({
        hostname: host,
        port,
        ...(isTls ? { tls: authorities === null ? true : { ca: authorities } } : {}),
        socket: {
          open: (socket) => {
            if (!isTls) this.#send(socket)
          },
          handshake: (socket, _, error) => {
            if (error === null) this.#send(socket)
            else this.#settle(failed('TLS', TLS[codeOf(error) ?? ''] ?? otherTls(error)))
          },
          data: (_, bytes) => this.#take(bytes),
          close: () => this.#closed(),
          error: (_, error) => {
            // Network errors are followed by `close`. Bun also passes exceptions of `data` here.
            if (codeOf(error) === undefined) this.#greeted.reject(error)
          },
        },
      })
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined) throw error
      if (isTls && TLS[code] !== undefined) return failed('TLS', TLS[code])
      return failed('connection', CONNECTION[code] ?? [`failed (${code})`, START_REDIS])
    }
    // It may be late.
    if (this.#isOver) this.#socket.end()
    return this.#greeted.promise
  }

  /** Why nothing came of it in time. */
  late(timeoutMs: number): Greeted {
    const silent = [`no answer in ${timeoutMs} ms`, START_REDIS] as const
    if (this.#socket === null) return failed('connection', silent)
    if (!this.#isSent) return failed('TLS', [silent[0], NO_TLS])
    return this.#text === '' ? failed('protocol', silent) : NOT_REDIS
  }

  end(): void {
    this.#isOver = true
    this.#socket?.end()
  }

  #settle(greeted: Greeted): void {
    this.#greeted.resolve(greeted)
  }

  #send(socket: Bun.Socket): void {
    const { user, password } = this.#address
    const login = password === null ? '' : command('AUTH', user ?? 'default', password)
    this.#isSent = true
    // Small enough for an empty socket to take it whole.
    socket.write(command('PING') + login + command('INFO', 'server'))
  }

  #take(bytes: Uint8Array): void {
    if (this.#text.length > doctorLimits.greetingBytesMax) return
    this.#text += Buffer.from(bytes).toString('latin1')
    const greeted = this.#greetedBy(repliesIn(this.#text))
    if (greeted !== null) this.#settle(greeted)
  }

  #closed(): void {
    if (this.#text !== '') this.#settle(this.#greetedBy(repliesIn(this.#text)) ?? NOT_REDIS)
    else if (this.#address.isTls) this.#settle(failed('protocol', ['it closed it', START_REDIS]))
    else this.#settle(failed('protocol', ['it closed it', 'if it has TLS, give rediss://']))
  }

  /** Null while more may come. */
  #greetedBy(replies: readonly string[] | null): Greeted | null {
    if (replies === null) return NOT_REDIS
    const [ping] = replies
    if (ping === undefined) return null
    // Such as that it takes no more clients, or only those of its own machine.
    if (!/^(\+PONG|-(NOAUTH|NOPERM|LOADING|MASTERDOWN|BUSY|MISCONF))/.test(ping)) {
      return ping.startsWith('-') ? refusedBy('protocol', ping, 'see what it says') : NOT_REDIS
    }
    const asksForPassword = ping.startsWith('-NOAUTH')
    const hasPassword = this.#address.password !== null
    const login = hasPassword ? replies[1] : '+OK'
    if (login?.startsWith('-')) {
      return refusedBy('login', login, 'correct user or password, or add the user there')
    }
    if (asksForPassword && !hasPassword) {
      return failed('login', ['it asks for a password', 'give it with --bus-password-file'])
    }
    const info = replies[hasPassword ? 2 : 1]
    if (info === undefined) return null
    const server = info.startsWith('-') ? null : infoFields(info)
    if (server?.has('redis_version') === false) return NOT_REDIS
    if (server?.get('redis_mode') === 'sentinel') return SENTINEL
    return success({ asksForPassword, server })
  }
}

const SENTINEL = failed('protocol', ['a Sentinel', 'give the address of a master that it watches'])

const NOT_REDIS = failed('protocol', ['something else', 'correct the address'])

/** By an error, which begins with a code. */
function refusedBy(step: GreetingStep, reply: string, cure: string): Greeted {
  const text = reply.slice(1, 1 + doctorLimits.shownLengthMax).replaceAll(/\p{C}/gu, '?')
  return failed(step, [`refused, ${text.split(' ')[0]}`, `${cure}: "${text}"`])
}

/** As a client sends it (RESP2), each character of it a byte. */
function command(...words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return `*${words.length}\r\n${parts.join('')}`
}

/** The replies that are complete, lines with their first character; null if there can be none. */
function repliesIn(text: string): readonly string[] | null {
  const replies: string[] = []
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\r\n', at)
    if (!/^[+:$-]/.test(text.slice(at))) return null
    if (end < 0) break
    const line = text.slice(at, end)
    at = end + 2
    if (!line.startsWith('$')) {
      replies.push(line)
      continue
    }
    const length = Number(line.slice(1))
    if (!(length >= 0 && length <= doctorLimits.greetingBytesMax)) return null
    if (text.length < at + length + 2) break
    replies.push(text.slice(at, at + length))
    at += length + 2
  }
  return replies
}
