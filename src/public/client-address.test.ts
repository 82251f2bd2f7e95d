// Goal: the client is the one that a trusted proxy names, and none becomes another by a header.
// Method: rows of what proxies and liars write.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseNetwork } from '../core/address.ts'
import type { Head } from '../http/exchange.ts'
import { Proxies } from './client-address.ts'

/** The part of a request's head that is read. */
function headOf(fields: Readonly<Record<string, string>>): Pick<Head, 'header'> {
  return { header: (name) => fields[name] ?? null }
}

function proxies(trusted: readonly string[], header = 'X-Forwarded-For'): Proxies {
  const networks = trusted.map(parseNetwork).filter((of) => of !== undefined)
  expect(networks).toHaveLength(trusted.length)
  return new Proxies({ trusted: networks, header })
}

const INNER = ['10.0.0.0/8', 'fd00::/8', '::1']

describe('the client', () => {
  test.each([
    ['is the peer where there is no header', '10.0.0.1', null, '10.0.0.1'],
    ['is whom a trusted proxy names', '10.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['is the peer when that is not trusted', '198.51.100.1', '192.0.2.1', '198.51.100.1'],
    ['is the last that a trusted one names', '10.0.0.1', '203.0.113.9, 192.0.2.1', '192.0.2.1'],
    ['is found behind several proxies', '10.0.0.1', '192.0.2.1, 10.0.0.3,10.0.0.2', '192.0.2.1'],
    ['is not who stands before a liar', '10.0.0.1', '10.9.9.9, 192.0.2.1, 10.0.0.2', '192.0.2.1'],
    ['is the first when all are trusted', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['is the proxy that names no client', '10.0.0.1', '192.0.2.1, unknown', '10.0.0.1'],
    ['is the last proxy before rubbish', '10.0.0.1', 'rubbish, 10.0.0.2', '10.0.0.2'],
    ['is the proxy of an empty header', '10.0.0.1', '', '10.0.0.1'],
    ['may come with a port', '10.0.0.1', '192.0.2.1:4711', '192.0.2.1'],
    ['may be of IPv6', '10.0.0.1', '2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
    ['may be in brackets with a port', '::1', '[2001:db8::1]:80', '2001:db8:0:0:0:0:0:1'],
    ['is read where the peer is IPv4 within IPv6', '::ffff:10.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['is read where an entry is', '10.0.0.1', '::ffff:192.0.2.1', '192.0.2.1'],
    ['is known by its whole address', 'fd12::7', '192.0.2.1', '192.0.2.1'],
  ])('%s', (_, peer, header, client) => {
    const head = headOf(header === null ? {} : { 'x-forwarded-for': header })
    expect(proxies(INNER).clientOf(peer, head)).toBe(client)
  })

  test.each([
    ['for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60'],
    ['proto=http; for=192.0.2.60', '192.0.2.60'],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe:0:0:0:0:17'],
    ['for="192.0.2.43:47011"', '192.0.2.43'],
    ['for=203.0.113.9, for=192.0.2.43, for=10.0.0.2', '192.0.2.43'],
    ['for=192.0.2.43, for="_hidden"', '10.0.0.1'],
    ['for=192.0.2.43, for=unknown', '10.0.0.1'],
    ['by=203.0.113.43', '10.0.0.1'],
    ['before=192.0.2.1', '10.0.0.1'],
    // What a client can have a proxy quote is not read as more than it is.
    ['for=192.0.2.1;host="a,for=6.6.6.6;"', '192.0.2.1'],
    ['for=192.0.2.1;host="a,for=6.6.6.6"', '192.0.2.1'],
    [String.raw`host="a\";for=6.6.6.6;\"";for=192.0.2.1`, '192.0.2.1'],
    ['proto=http;host="a;for=6.6.6.6";for=192.0.2.1', '192.0.2.1'],
    ['for=6.6.6.6, for=192.0.2.1;host="', '10.0.0.1'],
    ['for=6.6.6.6, for=192.0.2.1 for=6.6.6.7', '10.0.0.1'],
    ['for="192.0.2.1:_p"', '192.0.2.1'],
    ['for="[2001:db8::1]:_p"', '2001:db8:0:0:0:0:0:1'],
    ['for=', '10.0.0.1'],
    [',,for=192.0.2.1', '192.0.2.1'],
  ])('of Forwarded: %s', (header, client) => {
    const head = headOf({ forwarded: header, 'x-forwarded-for': '192.0.2.99' })
    expect(proxies(INNER, 'Forwarded').clientOf('10.0.0.1', head)).toBe(client)
  })

  test('is whom the proxy names, whatever of the client’s it writes beside it', () => {
    const at = proxies(INNER, 'Forwarded')
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (host, isFirst) => {
        const safe = host.replace(/[^\x20-\x7e]/g, '')
        const quoted = `host="${safe.replace(/["\\]/g, '\\$&')}"`
        const pairs = isFirst ? [quoted, 'for=192.0.2.1'] : ['for=192.0.2.1', quoted]
        const head = headOf({ forwarded: `for=6.6.6.6, ${pairs.join(';')}` })
        expect(at.clientOf('10.0.0.1', head)).toBe('192.0.2.1')
      }),
    )
  })

  test('may be in a header of the proxy’s own', () => {
    const head = headOf({ 'cf-connecting-ip': '192.0.2.1', 'x-forwarded-for': '192.0.2.2' })
    expect(proxies(INNER, 'CF-Connecting-IP').clientOf('10.0.0.1', head)).toBe('192.0.2.1')
  })

  test('is never an address that only an untrusted peer names', () => {
    const at = proxies(INNER)
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), (header, peer) => {
        fc.pre(!at.trusts(peer))
        const head = headOf({ 'x-forwarded-for': header.replace(/[^\x20-\x7e]/g, '') })
        expect(at.clientOf(peer, head)).toBe(peer)
      }),
    )
  })
})
