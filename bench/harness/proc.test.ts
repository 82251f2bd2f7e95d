// The texts of /proc as the kernel writes them, and what is read in them.

import { describe, expect, test } from 'bun:test'
import {
  descendants,
  machineMemory,
  parseKilobytes,
  parseMachineCpu,
  parseProcessStat,
  parseSockets,
  readProcesses,
  readProportional,
} from './proc.ts'

const STAT =
  '4242 (comet (x) y) S 17 4242 4242 0 -1 4194304 900 0 3 0 120 35 0 0 20 0 9 0 5000 90000000 ' +
  '14321 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n'

describe('a process', () => {
  test('is read whatever its name holds', () => {
    expect(parseProcessStat(STAT)).toEqual({
      pid: 4242,
      parentPid: 17,
      cpuTicks: 155,
      residentPages: 14_321,
    })
  })

  test('that has ended is none', () => {
    expect(parseProcessStat('')).toBeUndefined()
    expect(parseProcessStat('4242 (comet) S 17')).toBeUndefined()
  })

  test('has all below it as descendants, and not itself', () => {
    const of = (pid: number, parentPid: number) => ({
      pid,
      parentPid,
      cpuTicks: 0,
      residentPages: 0,
    })
    const all = [of(1, 0), of(2, 1), of(3, 2), of(4, 2), of(5, 1), of(6, 4)]
    expect([...descendants(all, 2)].sort()).toEqual([3, 4, 6])
    expect([...descendants(all, 6)]).toEqual([])
  })

  test('of this machine is found, with its memory', () => {
    expect(readProcesses().get(process.pid)?.residentPages).toBeGreaterThan(0)
    const own = readProportional(process.pid)
    expect(own?.bytes).toBeGreaterThan(own?.anonymousBytes ?? Number.NaN)
    expect(readProportional(2 ** 22 + 1)).toBeUndefined()
  })
})

describe('the machine', () => {
  const MEMINFO = [
    'MemTotal:       24684096 kB',
    'MemFree:        20000000 kB',
    'Buffers:            1000 kB',
    'Cached:           500000 kB',
    'Mapped:           100000 kB',
    'Shmem:              2000 kB',
    'Slab:             129000 kB',
    'KernelStack:        1400 kB',
    'PageTables:         2800 kB',
    'HugePages_Total:       0',
    'Active(anon):       1540 kB',
  ].join('\n')

  test('has memory that is free, cached and the kernel’s', () => {
    expect(machineMemory(MEMINFO)).toEqual({
      freeBytes: 20_000_000 * 1024,
      pageCacheBytes: (1_000 + 500_000 - 2_000 - 100_000) * 1024,
      kernelBytes: (129_000 + 1_400 + 2_800) * 1024,
    })
    expect(parseKilobytes(MEMINFO)['Active(anon)']).toBe(1540 * 1024)
  })

  test('is busy for what it did not wait', () => {
    const text = 'cpu  100 5 200 9000 40 1 20 7 3 0\ncpu0 50 0 100 4500 20 0 10 3 1 0\n'
    expect(parseMachineCpu(text)).toEqual({ busyTicks: 326, stolenTicks: 7 })
  })

  test('has sockets', () => {
    const text = 'sockets: used 12\nTCP: inuse 2000024 orphan 0 tw 17 alloc 2000031 mem 512\n'
    expect(parseSockets(text)).toEqual({ inUse: 2_000_024, memoryPages: 512 })
    expect(parseSockets('')).toEqual({ inUse: 0, memoryPages: 0 })
  })
})
