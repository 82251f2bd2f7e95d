// Goal: one address has one text, whatever form it came in; what is none is refused. Method: tables, and
// random addresses held against the URL parser's own writing of them.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { clientNetwork, parseIp, parseNetwork } from './ip.ts'

describe('parseIp', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::FFFF:255.255.255.255', '255.255.255.255'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8:0:0:0:0:0:1'],
    ['2001:db8::', '2001:db8:0:0:0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0:0:0:0:c000:221'],
  ])('reads %p as %p', (text, ip) => {
    expect(parseIp(text)).toBe(ip)
  })

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.4:80',
    '[::1]',
    ':::',
    '1::2::3',
    'x',
    '%',
  ])('takes %p for no address', (text) => {
    expect(parseIp(text)).toBeUndefined()
  })

  test('agrees with the URL parser about which texts are the same address', () => {
    const canonical = (text: string) => new URL(`http://[${text}]/`).hostname
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        // Bun 1.4.5 refuses `0:0:0:0::0.0.0.0`, which is one (WHATWG URL, section 3.5).
        fc.pre(URL.canParse(`http://[${text}]/`))
        const ip = parseIp(text)
        const six = ip?.includes(':') ? ip : `::ffff:${ip}`
        expect(canonical(String(six))).toBe(canonical(text))
      }),
    )
  })
})

describe('clientNetwork', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['0:0:0:0:0:0:0:1', '0:0:0:0::/64'],
  ])('of %p is %p', (ip, network) => {
    expect(clientNetwork(ip)).toBe(network)
  })
})

describe('parseNetwork', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0', 8],
    ['10.1.2.3', '10.1.2.3', 32],
    [' 0.0.0.0/0 ', '0.0.0.0', 0],
    ['::1', '0:0:0:0:0:0:0:1', 128],
    ['2001:db8::/32', '2001:db8:0:0:0:0:0:0', 32],
    ['::ffff:10.1.2.3', '10.1.2.3', 32],
  ])('reads %p', (text, ip, bits) => {
    expect(parseNetwork(text)).toEqual({ ip, bits })
  })

  test.each([
    '',
    '10.0.0.0/33',
    'fe80::1%eth0',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    'proxy',
    '::ffff:10.0.0.0/8',
  ])('takes %p for no network', (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  })
})
