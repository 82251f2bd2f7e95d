// The check of a machine: one that has enough passes, and each thing that is short is named.

import { expect, test } from 'bun:test'
import { checkMachine, checkTable, type Found, lookAtMachine, mayExceedFileMax } from './check.ts'

const ENOUGH: Found = {
  machine: {
    openFiles: 20_000,
    cores: 2,
    hasProc: true,
    kernel: new Map([
      ['fs.nr_open', [1_048_576]],
      ['fs.file-max', [2_466_183]],
      ['fs.file-nr', [3_000, 0, 2_466_183]],
      ['net.core.somaxconn', [4_096]],
      ['net.ipv4.tcp_mem', [287_000, 383_000, 575_802]],
      ['net.ipv4.tcp_wmem', [4_096, 16_384, 4_194_304]],
    ]),
    availableBytes: 24e9,
    groupBytes: null,
    swapBytes: 0,
    addresses: 1,
  },
  processesMax: 96_365,
  pidMax: 32_768,
  diskFreeBytes: 50e9,
  addressesMissing: [],
  mayDropCaches: false,
  mayExceedFileMax: false,
}

function missing(found: Partial<Found>): string[] {
  const items = checkMachine({ ...ENOUGH, ...found }, 1_000_000)
  return items.filter(({ ok }) => !ok).map(({ name }) => name)
}

test('a machine that has enough lacks nothing', () => {
  expect(missing({})).toEqual([])
  expect(missing({ pidMax: null, processesMax: null, mayDropCaches: true })).toEqual([])
})

test.each([
  [{ processesMax: 1_000 }, 'processes and threads (ulimit -u)'],
  [{ pidMax: 1_000 }, 'kernel.pid_max'],
  [{ diskFreeBytes: 1e8 }, 'disk free'],
  [{ addressesMissing: ['127.0.1.1'] }, 'loopback addresses'],
  [
    { machine: { ...ENOUGH.machine, openFiles: 1_024, availableBytes: 64e9 } },
    'open files of a process',
  ],
  [{ machine: { ...ENOUGH.machine, availableBytes: 12e9 } }, 'memory'],
  [{ machine: { ...ENOUGH.machine, hasProc: false } }, 'system'],
])('%j is named as %s', (found, name) => {
  expect(missing(found)).toEqual([name])
})

test('the limit of open files of the whole machine does not hold for root', () => {
  const kernel = new Map(ENOUGH.machine.kernel).set('fs.file-max', [1_000_000])
  const machine = { ...ENOUGH.machine, kernel }
  expect(missing({ machine })).toEqual(['fs.file-max'])
  expect(missing({ machine, mayExceedFileMax: true })).toEqual([])
  // All capabilities but CAP_SYS_RESOURCE, and none.
  expect(mayExceedFileMax('CapPrm:\t0000000000000000\nCapEff:\t000001fffeffffff\n')).toBe(true)
  expect(mayExceedFileMax('CapEff:\t0000000000000000\n')).toBe(false)
  expect(mayExceedFileMax('')).toBe(false)
})

test('the table says why something is wanted only where it is missing', () => {
  const text = checkTable(checkMachine({ ...ENOUGH, pidMax: 500 }, 10_000))
  expect(text).toContain('MISSING kernel.pid_max')
  expect(text).toContain('each thread has a number')
  expect(text).not.toContain('the graph of friends')
})

test('this machine can be looked at', () => {
  const { machine, diskFreeBytes } = lookAtMachine(1_000, null)
  expect(machine.openFiles).toBeGreaterThan(0)
  expect(diskFreeBytes).toBeGreaterThan(0)
})
