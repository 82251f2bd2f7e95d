// Goal: enough local ends for any number of connections, and none twice in a round.
// Method: tables of ranges, and the first of an endless row of sources.

import { describe, expect, test } from 'bun:test'
import { floodLimits } from '../core/limits.ts'
import { defaultSources, parseSources, sourcesFrom } from './source.ts'

const PORTS = floodLimits.portLast - floodLimits.portFirst + 1

describe('parseSources', () => {
  test.each([
    ['10.0.0.1', ['10.0.0.1']],
    ['10.0.0.1-10.0.0.3', ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
    ['10.0.0.255-10.0.1.1', ['10.0.0.255', '10.0.1.0', '10.0.1.1']],
    [' 255.255.255.254 - 255.255.255.255 ', ['255.255.255.254', '255.255.255.255']],
    ['10.0.0.7-10.0.0.7', ['10.0.0.7']],
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
    ['::1'],
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

describe('sourcesFrom', () => {
  test('takes the addresses in turn, port by port', () => {
    const sources = sourcesFrom(['10.0.0.1', '10.0.0.2'], 5)
    const first = Array.from({ length: 4 }, () => sources.next().value)
    expect(first).toEqual([
      { address: '10.0.0.1', port: 10_005 },
      { address: '10.0.0.2', port: 10_005 },
      { address: '10.0.0.1', port: 10_006 },
      { address: '10.0.0.2', port: 10_006 },
    ])
  })

  test('goes on at the first port behind the last, and has each once a round', () => {
    const sources = sourcesFrom(['10.0.0.1'], PORTS * 3 - 1)
    const round = Array.from({ length: PORTS }, () => sources.next().value?.port ?? 0)
    expect(round.slice(0, 2)).toEqual([floodLimits.portLast, floodLimits.portFirst])
    expect(new Set(round).size).toBe(PORTS)
  })
})
