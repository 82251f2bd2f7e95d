// Goal: enough local ends for any number of connections, and none twice in a round.
// Method: tables of ranges, and the first of an endless row of sources, some of them skipped.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { floodLimits } from '../core/tool-limits.ts'
import { defaultSources, LocalEnds, parseSources } from './local-ends.ts'

const { portFirst, portLast, portStride, portTriesMax } = floodLimits
const PORTS = portLast - portFirst + 1
const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5']

function inFd00(last: string): string {
  return `fd00:0:0:0:0:0:${last.includes(':') ? last : `0:${last}`}`
}

describe('parseSources', () => {
  test.each([
    ['10.0.0.1', ['10.0.0.1']],
    ['10.0.0.1-10.0.0.3', ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
    ['10.0.0.255-10.0.1.1', ['10.0.0.255', '10.0.1.0', '10.0.1.1']],
    [' 255.255.255.254 - 255.255.255.255 ', ['255.255.255.254', '255.255.255.255']],
    ['10.0.0.7-10.0.0.7', ['10.0.0.7']],
    ['::1', ['0:0:0:0:0:0:0:1']],
    ['::ffff:10.0.0.1', ['10.0.0.1']],
    ['FD00::fffe-fd00::1:1', ['fffe', 'ffff', '1:0', '1:1'].map(inFd00)],
  ])('reads %p', (text, addresses) => {
    expect(parseSources(text)).toEqual(addresses)
  })

  test.each([
    [''],
    ['10.0.0'],
    ['10.0.0.1.2'],
    ['10.0.0.256'],
    ['10.0.0.x'],
    ['10.0.0.'],
    ['10.0.0.1-'],
    ['-10.0.0.1'],
    ['10.0.0.2-10.0.0.1'],
    ['10.0.0.1-10.0.0.2-10.0.0.3'],
    ['10.0.0.0-10.1.0.0'],
    ['[::1]'],
    ['fe80::1%eth0'],
    ['fd00::2-fd00::1'],
    ['fd00::1-fd00:0:0:0:0:1::1'],
    ['fd00::-fd00::1:0'],
    ['10.0.0.1-::1'],
    ['localhost'],
  ])('refuses %p', (text) => {
    expect(parseSources(text)).toBeUndefined()
  })

  test('reads a range of 65,536 addresses, the largest', () => {
    const addresses = parseSources('10.0.0.0-10.0.255.255')
    expect([addresses?.length, addresses?.at(-1)]).toEqual([65_536, '10.0.255.255'])
  })
})

describe('defaultSources', () => {
  test.each([
    ['127.0.0.1', 1, ['127.0.1.1']],
    ['127.0.0.1', 0, ['127.0.1.1']],
    ['127.0.0.1', floodLimits.connectionsPerAddress, ['127.0.1.1']],
    ['127.9.9.9', floodLimits.connectionsPerAddress + 1, ['127.0.1.1', '127.0.1.2']],
    ['10.0.0.1', 1_000_000, []],
    ['::1', 1_000_000, []],
  ])('to %s for %p connections are %p', (address, connections, sources) => {
    expect(defaultSources(address, connections)).toEqual(sources)
  })

  test('have ports for twenty million connections', () => {
    const addresses = defaultSources('127.0.0.1', 20_000_000)
    expect(addresses.length * PORTS).toBeGreaterThan(20_000_000)
    expect(new Set(addresses).size).toBe(addresses.length)
    expect(addresses.at(-1)).toBe('127.0.2.244')
  })
})

/** The ports of the next so many sources. */
function portsOf(sources: LocalEnds, count: number): number[] {
  return Array.from({ length: count }, () => sources.next().port)
}

describe('sources', () => {
  test('take the addresses in turn, port by port', () => {
    const sources = new LocalEnds(['10.0.0.1', '10.0.0.2'], 5)
    const first = Array.from({ length: 4 }, () => sources.next())
    expect(first).toEqual([
      { address: '10.0.0.1', port: 10_005 },
      { address: '10.0.0.2', port: 10_005 },
      { address: '10.0.0.1', port: 10_006 },
      { address: '10.0.0.2', port: 10_006 },
    ])
  })

  test('go on at the first port behind the last, and have each once a round', () => {
    const round = portsOf(new LocalEnds(['10.0.0.1'], PORTS * 3 - 1), PORTS)
    expect(round.slice(0, 2)).toEqual([portLast, portFirst])
    expect(new Set(round).size).toBe(PORTS)
  })

  test('go on elsewhere once one was skipped, and port by port from there', () => {
    const sources = new LocalEnds(['10.0.0.1'], 0)
    expect(portsOf(sources, 2)).toEqual([10_000, 10_001])
    sources.jumpAhead()
    expect(portsOf(sources, 2)).toEqual([10_002 + portStride, 10_003 + portStride])
    sources.jumpAhead()
    expect(portsOf(sources, 1)).toEqual([10_004 + 2 * portStride])
  })

  test('keep the turns of their addresses when one is skipped', () => {
    const sources = new LocalEnds(['10.0.0.1', '10.0.0.2'], 0)
    sources.next()
    sources.jumpAhead()
    expect([sources.next(), sources.next()]).toEqual([
      { address: '10.0.0.2', port: 10_000 + portStride },
      { address: '10.0.0.1', port: 10_001 + portStride },
    ])
  })

  test('keep to the range of ports, however many are skipped', () => {
    const passed = fc.array(fc.boolean(), { maxLength: 300 })
    const addresses = fc.integer({ min: 1, max: 5 }).map((count) => ADDRESSES.slice(0, count))
    fc.assert(
      fc.property(addresses, fc.nat({ max: 200_000 }), passed, (from, offset, steps) => {
        const sources = new LocalEnds(from, offset)
        for (const [at, isPassed] of steps.entries()) {
          const { address, port } = sources.next()
          expect(address).toBe(from[at % from.length] ?? '')
          expect(port).toBeWithin(portFirst, portLast + 1)
          if (isPassed) sources.jumpAhead()
        }
      }),
    )
  })

  test.each([1, 2, 5])('of %p addresses offer no port twice to one connection', (count) => {
    const sources = new LocalEnds(ADDRESSES.slice(0, count), 12_345)
    const tried = Array.from({ length: portTriesMax }, () => {
      const { address, port } = sources.next()
      sources.jumpAhead()
      return `${address}:${port}`
    })
    expect(new Set(tried).size).toBe(portTriesMax)
  })
})
