// The texts of /proc as the kernel writes them, and what is read in them.

import { describe, expect, test } from 'bun:test'
import {
  descendants,
  machineCpu,
  machineMemory,
  memoryIn,
  parseKilobytes,
  parseProcessStat,
  readProcesses,
  readProportional,
} from './proc.ts'

const STAT =
  '4242 (comet (x) y) S 17 4242 4242 0 -1 4194304 900 0 3 0 120 35 0 0 20 0 9 0 5000 90000000 ' +
  '14321 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n'

describe('a process', () => {
  test('is read with any name', () => {
    const { residentBytes = 0, ...stat } = parseProcessStat(STAT) ?? {}
    expect(stat).toEqual({ pid: 4242, parentPid: 17, cpuSeconds: 1.55 })
    // Pages are of different sizes on different machines.
    expect(residentBytes % (14_321 * 4096)).toBe(0)
  })

  test('that has ended is none', () => {
    expect(parseProcessStat('')).toBeUndefined()
    expect(parseProcessStat('4242 (comet) S 17')).toBeUndefined()
  })

  test('has all below it as descendants, and not itself', () => {
    const of = (pid: number, parentPid: number) => {
      return { pid, parentPid, cpuSeconds: 0, residentBytes: 0 }
    }
    const all = [of(1, 0), of(2, 1), of(3, 2), of(4, 2), of(5, 1), of(6, 4)]
    expect([...descendants(all, 2)].sort()).toEqual([3, 4, 6])
    expect([...descendants(all, 6)]).toEqual([])
  })

  test('of this machine is found, with its memory', () => {
    expect(readProcesses().get(process.pid)?.residentBytes).toBeGreaterThan(0)
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
    expect(machineCpu(text)).toEqual({ busySeconds: 3.26, stolenSeconds: 0.07 })
  })
})

describe('the memory of a program', () => {
  const rollup = (figures: Record<string, number>) =>
    ['00400000-7fff ---p 00000000 00:00 0 [rollup]']
      .concat(Object.entries(figures).map(([name, kB]) => `${name}:  ${kB} kB`))
      .join('\n')
  const MASTER = rollup({
    Rss: 30,
    Pss_Anon: 3,
    Pss_Shmem: 5,
    Shared_Clean: 12,
    Shared_Dirty: 10,
    Private_Clean: 1,
    Private_Dirty: 7,
  })

  test('of one process is what is resident', () => {
    expect(memoryIn([MASTER])).toEqual({ ownBytes: 8 * 1024, residentBytes: 30 * 1024 })
  })

  test('that processes share counts once', () => {
    const worker = rollup({ Pss_Anon: 40, Pss_Shmem: 5, Shared_Dirty: 20, Private_Dirty: 35 })
    const both = memoryIn([MASTER, worker])
    expect(both).toEqual({ ownBytes: 53 * 1024, residentBytes: (8 + 35 + 22) * 1024 })
  })

  test('of a process that has ended is nothing', () => {
    expect(memoryIn([''])).toEqual({ ownBytes: 0, residentBytes: 0 })
  })
})
