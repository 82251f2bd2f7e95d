// Goal: addresses, networks, hosts and origins are read as people and programs write them, each in
// one form, and nothing else is taken for one. Method: tables, the ways back, and random addresses
// compared with the URL parser's own form of them.

import { describe, expect, test } from 'bun:test'
import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import {
  clientNetwork,
  fetchTarget,
  httpUrl,
  ipv4Number,
  ipv4Text,
  isControlUrl,
  isIpHost,
  isLoopback,
  isLoopbackHost,
  isWithin,
  nothingListens,
  parseAddress,
  parseControlAddress,
  parseHost,
  parseIp,
  parseNetwork,
  parseOrigin,
  urlOf,
} from './address.ts'

describe('parseAddress', () => {
  test.each([
    ['127.0.0.1:8001', '127.0.0.1', 8001],
    ['localhost:80', 'localhost', 80],
    ['[::1]:8001', '::1', 8001],
    ['[::ffff:127.0.0.1]:1', '::ffff:127.0.0.1', 1],
    [':8000', '0.0.0.0', 8000],
    [':0', '0.0.0.0', 0],
    ['8000', '0.0.0.0', 8000],
    ['host.example:65535', 'host.example', 65_535],
    ['  127.0.0.1:8001 ', '127.0.0.1', 8001],
  ])('reads %p', (text, hostname, port) => {
    expect(parseAddress(text)).toEqual({ hostname, port })
  })

  test.each([
    [''],
    ['80000'],
    ['127.0.0.1'],
    ['127.0.0.1:'],
    ['127.0.0.1:65536'],
    ['127.0.0.1:-1'],
    ['127.0.0.1:8a'],
    ['127.0.0.1:000080'],
    ['::1:8001'],
    ['[]:8001'],
    ['[::1]8001'],
    ['[localhost]:8001'],
    ['two words:80'],
    ['http://127.0.0.1:8001'],
  ])('returns undefined for %p', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })
})

describe('isLoopback', () => {
  test.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['127.0.0.1.example.com', false],
    ['localhost.example.com', false],
    ['1127.0.0.1', false],
  ])('%p is %p', (hostname, expected) => {
    expect(isLoopback({ hostname, port: 8001 })).toBe(expected)
  })
})

describe('urlOf', () => {
  test.each([
    ['127.0.0.1:8000', 'http://127.0.0.1:8000/test/{id}'],
    ['localhost:8000/sub/{id}', 'http://localhost:8000/sub/{id}'],
    ['[::1]:8000/', 'http://[::1]:8000/'],
    ['8000', 'http://127.0.0.1:8000/test/{id}'],
    ['[::]:8000', 'http://[::1]:8000/test/{id}'],
    ['http://127.0.0.1:8000', 'http://127.0.0.1:8000'],
    ['https://x/', 'https://x/'],
    ['nonsense', 'nonsense'],
    ['', ''],
  ])('of %p is %p', (text, expected) => {
    expect(urlOf(text, '/test/{id}')).toBe(expected)
  })
})

describe('isControlUrl', () => {
  test.each([
    ['http://127.0.0.1:8001', true],
    ['http://[::1]:8001/', true],
    ['HTTP://proxy.example/comet?a=b', true],
    ['unix:/run/comet.sock', true],
    ['unix:///run/comet.sock', true],
    ['unix:run/comet.sock', false],
    ['unix:/run/', false],
    ['https://127.0.0.1:8001', false],
    ['ws://127.0.0.1:8001', false],
    ['127.0.0.1:8001', false],
    ['localhost:8001', false],
    ['http://', false],
    ['nonsense', false],
    ['', false],
  ])('of %p is %p', (url, expected) => {
    expect(isControlUrl(url)).toBe(expected)
  })
})

describe('fetchTarget', () => {
  test.each([
    ['http://127.0.0.1:8001', 'http://127.0.0.1:8001'],
    ['http://[::1]:8001/', 'http://[::1]:8001'],
    ['http://proxy.example/comet//', 'http://proxy.example/comet'],
  ])('of %p is in front of the path of a request', (url, base) => {
    expect(fetchTarget(url)).toEqual({ base })
  })

  test.each(['unix:/run/comet.sock', 'unix:///run/comet.sock'])('of %p is its socket', (url) => {
    expect(fetchTarget(url)).toEqual({ base: 'http://localhost', unix: '/run/comet.sock' })
  })
})

describe('httpUrl', () => {
  test.each([
    ['127.0.0.1:8001', 'http://127.0.0.1:8001'],
    ['[::1]:8001', 'http://[::1]:8001'],
    [':80', 'http://0.0.0.0:80'],
  ])('of %p is %p', (text, url) => {
    const address = parseAddress(text)
    expect(address && httpUrl(address)).toBe(url)
  })
})

describe('an IPv4 address', () => {
  test.each([
    ['0.0.0.0', 0],
    ['0.0.0.1', 1],
    ['127.0.0.1', 0x7f_00_00_01],
    ['128.0.0.0', 0x80_00_00_00],
    ['255.255.255.255', 0xff_ff_ff_ff],
  ])('%p is %p, and back', (text, number) => {
    expect([ipv4Number(text), ipv4Text(number)]).toEqual([number, text])
  })

  test.each([
    [''],
    ['localhost'],
    ['::1'],
    ['1.2.3'],
    ['1.2.3.4.5'],
    ['1.2.3.'],
    ['1..2.3'],
    ['1.2.3.256'],
    ['1.2.3.0004'],
    ['1.2.3.-4'],
    ['1.2.3.4e0'],
    ['1.2.3.0x4'],
    [' 1.2.3.4'],
    ['1.2.3.4\n'],
    ['1.2.3.٣'],
  ])('is not %p', (text) => {
    expect(ipv4Number(text)).toBeUndefined()
  })

  test('is the same as text and as number', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const number = ipv4Number(text)
        expect(number).toBeWithin(0, 2 ** 32)
        expect(ipv4Text(number ?? 0)).toBe(text)
      }),
    )
  })
})

test('a Unix socket has an absolute path that fits the kernel', () => {
  const address = { hostname: 'localhost', port: 0, socketPath: '/run/x.sock' }
  expect(parseControlAddress('unix:/run/x.sock')).toEqual(address)
  expect(parseControlAddress('unix:///run/x.sock')).toEqual(address)
  expect(httpUrl(address)).toBe('unix:/run/x.sock')
  expect(parseControlAddress('127.0.0.1:1')).toEqual({ hostname: '127.0.0.1', port: 1 })
  for (const text of ['unix:x', 'unix:', 'unix:/', `unix:/${'x'.repeat(107)}`]) {
    expect(parseControlAddress(text)).toBeUndefined()
  }
})

test('a port alone is on loopback for a control port, and on every address for others', () => {
  expect(parseControlAddress('8001')).toEqual({ hostname: '127.0.0.1', port: 8001 })
  expect(parseControlAddress(':8001')).toEqual({ hostname: '0.0.0.0', port: 8001 })
  expect(parseControlAddress('80000')).toBeUndefined()
  expect(parseAddress('8001')?.hostname).toBe('0.0.0.0')
})

test('nothingListens distinguishes a closed port from any other error', async () => {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
  const { port } = listener
  listener.stop(true)
  const error = await fetch(`http://127.0.0.1:${port}`).catch((thrown: unknown) => thrown)
  expect([nothingListens(error), nothingListens(new Error('no'))]).toEqual([true, false])
})

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
  ])('returns undefined for %p', (text) => {
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

/** Texts that are addresses, or nearly. */
const addressLike = fc
  .array(
    fc.oneof(
      fc.constantFrom(':', '::', '.', '0', '00', '255', '256', 'ffff', 'fffff', 'g', ' ', '-1'),
      fc.nat({ max: 300 }).map(String),
      fc.nat({ max: 70_000 }).map((group) => `${group.toString(16)}:`),
      fc.ipV4(),
    ),
    { maxLength: 10 },
  )
  .map((parts) => parts.join(''))

test('an address is what Node takes for one', () => {
  fc.assert(
    fc.property(fc.oneof(addressLike, fc.ipV6(), fc.ipV4(), fc.string()), (text) => {
      fc.pre(!text.includes('%'))
      expect([text, parseIp(text) !== undefined]).toEqual([text, isIP(text) !== 0])
    }),
    { numRuns: 20_000 },
  )
})

describe('isWithin', () => {
  test.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.0.0.0', '10.0.0.0/8', false],
    ['10.255.255.255', '10.128.0.0/9', true],
    ['10.127.255.255', '10.128.0.0/9', false],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.2', '192.0.2.1', false],
    ['255.255.255.255', '0.0.0.0/0', true],
    ['::1', '0.0.0.0/0', false],
    ['192.0.2.1', '::/0', false],
    ['2001:db8:ffff::1', '2001:db8::/32', true],
    ['2001:db9::1', '2001:db8::/31', true],
    ['2001:dba::1', '2001:db8::/31', false],
    ['::2', '::1', false],
  ])('%s of %s is %p', (text, written, expected) => {
    const [ip = '', network] = [parseIp(text), parseNetwork(written)]
    expect(network !== undefined && isWithin(ip, network)).toBe(expected)
  })

  test('agrees with Node about random networks', () => {
    const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
    fc.assert(
      fc.property(bytes, fc.nat({ max: 128 }), fc.nat({ max: 128 }), (own, bits, same) => {
        const other = own.map((byte, at) => (at * 8 > same ? byte ^ 0x5a : byte))
        const [one, two] = [own, other].map((of) => parseIp(ipv6Of(of)) ?? '')
        fc.pre(one?.includes(':') === true && two?.includes(':') === true)
        const list = new BlockList()
        list.addSubnet(one, bits, 'ipv6')
        expect(isWithin(two, { ip: one, bits })).toBe(list.check(two, 'ipv6'))
      }),
    )
  })
})

function ipv6Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').match(/.{4}/g)?.join(':') ?? ''
}

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
  ])('returns undefined for %p', (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  })
})

test.each([
  ['localhost:8001', 'localhost'],
  ['Comet.Example', 'comet.example'],
  ['comet.example.:80', 'comet.example'],
  ['my_service', 'my_service'],
  ['x:', 'x'],
  ['127.0.0.1:65535', '127.0.0.1'],
  ['[::1]:8001', '0:0:0:0:0:0:0:1'],
  ['[::ffff:127.0.0.1]', '127.0.0.1'],
])('%p is the host %p', (text, host) => {
  expect(parseHost(text)).toBe(host)
})

test.each([
  ...['', '.', ':80', '[', '[zz]', '[1.2.3.4]', '::1', 'a b', 'a, b', 'a,b', ', a', 'a, '],
  ...['user@a', 'a/b', 'a?b', 'a:99999', 'a:x', 'ä', 'x'.repeat(255)],
])('%p is no host', (text) => {
  expect(parseHost(text)).toBeUndefined()
})

test.each(['localhost', '127.0.0.1', '127.9.9.9', '0:0:0:0:0:0:0:1'])('%p is loopback', (host) => {
  expect(isLoopbackHost(host)).toBe(true)
})

test.each(['evil.example', '127.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '0.0.0.0'])(
  '%p is not loopback',
  (host) => {
    expect(isLoopbackHost(host)).toBe(false)
  },
)

test('isIpHost distinguishes addresses from names', () => {
  expect(['10.0.0.1', '0:0:0:0:0:0:0:1', '10.0.0.1.example', '2130706433'].map(isIpHost)).toEqual([
    ...[true, true, false, false],
  ])
})

test.each([
  ['https://Dash.example', 'https://dash.example'],
  ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
  ['https://dash.example:443', 'https://dash.example'],
  ['http://[::1]:80', 'http://[::1]'],
])('%p is the origin %p', (text, origin) => {
  expect(parseOrigin(text)).toBe(origin)
})

test.each(['', 'null', '*', 'dash.example', 'ftp://a', 'https://a/', 'https://a/b', 'https://u@a'])(
  '%p is no origin',
  (text) => {
    expect(parseOrigin(text)).toBeUndefined()
  },
)
