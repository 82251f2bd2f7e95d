// The check of a machine: what is enough passes, and each thing that is not is told.

import { expect, test } from 'bun:test'
import { addressesFor, checkMachine, checkTable, type Found } from './check.ts'
import { lookAtMachine } from './machine.ts'

const ENOUGH: Found = {
  hasProc: true,
  openFiles: 20_000,
  processesMax: 96_365,
  pidMax: 32_768,
  memoryAvailableBytes: 24e9,
  diskFreeBytes: 50e9,
  addressesMissing: [],
  somaxconn: 4_096,
  tcpMemoryPagesMax: 575_802,
  fileMax: 2_466_183,
  filesOpen: 3_000,
  conntrackMax: null,
  mayDropCaches: false,
}

function missing(found: Partial<Found>): string[] {
  const items = checkMachine({ ...ENOUGH, ...found }, 1_000_000)
  return items.filter(({ ok }) => !ok).map(({ name }) => name)
}

test('a machine that has enough lacks nothing', () => {
  expect(missing({})).toEqual([])
  expect(missing({ conntrackMax: 2_000_000, pidMax: null, somaxconn: null })).toEqual([])
})

test.each([
  [{ openFiles: 1_024 }, 'open files of a process (ulimit -n)'],
  [{ processesMax: 1_000 }, 'processes and threads (ulimit -u)'],
  [{ memoryAvailableBytes: 15e9 }, 'memory available'],
  [{ diskFreeBytes: 1e8 }, 'disk free'],
  [{ fileMax: 2_000_000 }, 'fs.file-max, less what is open'],
  [{ addressesMissing: ['127.0.1.1'] }, 'loopback addresses'],
  [{ somaxconn: 128 }, 'net.core.somaxconn'],
  [{ tcpMemoryPagesMax: 50_000 }, 'net.ipv4.tcp_mem, largest, in pages'],
  [{ conntrackMax: 262_144 }, 'connection tracking'],
  [{ hasProc: false }, 'system'],
] as const)('%j is told', (found, name) => {
  expect(missing(found)).toEqual([name])
})

test('the table says why what is missing is wanted', () => {
  const text = checkTable(checkMachine({ ...ENOUGH, somaxconn: 128 }, 10_000))
  expect(text).toContain('MISSING net.core.somaxconn')
  expect(text).toContain('connections that wait to be accepted')
  expect(text).not.toContain('a firewall that keeps')
})

test('a million streams come from 25 addresses, and more from the next network', () => {
  const addresses = addressesFor(1_000_000)
  expect(addresses).toHaveLength(25)
  expect([addresses[0], addresses.at(-1)]).toEqual(['127.0.1.1', '127.0.1.25'])
  expect(addressesFor(10_240_000).at(-1)).toBe('127.0.2.0')
})

test('this machine can be looked at', async () => {
  const found = await lookAtMachine(1_000, null)
  expect(found.openFiles).toBeGreaterThan(0)
  expect(found.memoryAvailableBytes).toBeGreaterThan(0)
})
