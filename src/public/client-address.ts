// The address of a request's client: the other end of its connection or, when that is a trusted
// proxy, the one that it names. Any other client can write anything into a header.

import { isWithin, type Network, parseIp } from '../core/address.ts'
import type { Head } from '../http/exchange.ts'
import type { ProxySettings } from '../hub/settings.ts'

/** The header of RFC 7239, whose elements are pairs; any other is a list of addresses. */
const FORWARDED = 'forwarded'

export class Proxies {
  readonly header: string
  readonly #trusted: readonly Network[]

  constructor({ trusted, header }: ProxySettings) {
    this.header = header.toLowerCase()
    this.#trusted = trusted
  }

  trusts(ip: string): boolean {
    return this.#trusted.some((network) => isWithin(ip, network))
  }

  /**
   * The client's address. Each proxy appends the address of its own peer, so the list is read from
   * its end, as long as the writer of an entry is trusted: what stands before that may be forged.
   *
   * @param peer the other end of the connection
   * @param head of the request
   */
  clientOf(peer: string, head: Pick<Head, 'header'>): string {
    let client = parseIp(peer) ?? peer
    if (!this.trusts(client)) return client
    const written = head.header(this.header)
    if (written === null) return client
    const names = this.header === FORWARDED ? forwardedFor(written) : written.split(',')
    for (const name of names.toReversed()) {
      const ip = parseNode(name)
      // A proxy that hides its client (RFC 7239 section 6.3), or writes none: it is the last that
      // is known.
      if (ip === undefined) break
      client = ip
      if (!this.trusts(client)) break
    }
    return client
  }
}

/**
 * A pair, or what stands between two, or two elements; strings may hold anything (RFC 7239 section
 * 4).
 */
const TOKEN = /[ \t]*(?:([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))|([,;]))[ \t]*/y

/**
 * The `for` of each element, empty where there is none. From where it is no such list, nothing can
 * be told of the elements behind, so that these have none either.
 */
function forwardedFor(written: string): string[] {
  const names = ['']
  let mayBePair = true
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < written.length) {
    const [, key, quoted, plain, between] = TOKEN.exec(written) ?? []
    const isPair = key !== undefined
    if (isPair ? !mayBePair : between === undefined) return [...names, '']
    mayBePair = !isPair
    if (between === ',') names.push('')
    else if (key?.toLowerCase() === 'for') names[names.length - 1] = quoted ?? plain ?? ''
  }
  return names
}

/**
 * An address with or without quotes, brackets and a port, which may be hidden, as proxies write
 * them.
 */
function parseNode(text: string): string | undefined {
  const bare = text.trim().replace(/^"(.*)"$/, '$1')
  const withPort =
    /^\[([^\]]*)\](?::(?:\d+|_[\w.-]+))?$/.exec(bare) ?? /^([\d.]+):(?:\d+|_[\w.-]+)$/.exec(bare)
  return parseIp(withPort?.[1] ?? bare)
}
