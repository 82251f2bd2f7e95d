// Goal: who does what the doctor prints has what was wished for. Method: machines of any kind; print,
// apply to the made folder as sysctl(8) and systemd would, read again, and judge again.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Files, GIB, MadeMachine, meminfo, wish } from './machine.fixture.ts'
import { ENDS, type Wish } from './need.ts'
import { sysctlText, systemdText } from './prescription.ts'
import type { Own } from './readings.ts'
import { judgeMachine, shortOnes } from './verdict.ts'

function printed(files: Files, wanted: Wish = wish(1_000_000), own: Partial<Own> = {}) {
  using machine = new MadeMachine(files, own)
  const verdict = judgeMachine(machine.read(), wanted)
  return { sysctl: sysctlText(verdict), systemd: systemdText(verdict) }
}

function settingsIn(file: string): string[] {
  return file.split('\n').filter((line) => !line.startsWith('#'))
}

const number = (min: number, max: number) => fc.integer({ min, max }).map(String)
const maybe = (text: fc.Arbitrary<string>) => fc.option(text, { nil: null })
const triple = (max: number) =>
  fc
    .tuple(...[0, 1, 2].map(() => fc.integer({ min: 1, max })))
    .map((numbers) => numbers.toSorted((a, b) => a - b).join('\t'))

const files: fc.Arbitrary<Files> = fc.record({
  'fs.nr_open': maybe(number(64, 2_000_000)),
  'fs.file-max': maybe(fc.oneof(number(1_000, 9_000_000), fc.constant('9223372036854775807'))),
  'fs.file-nr': number(1, 100_000).map((open) => `${open}\t0\t1`),
  'net.core.somaxconn': maybe(number(16, 8_192)),
  'net.core.netdev_max_backlog': maybe(number(1, 5_000)),
  'net.ipv4.tcp_mem': maybe(triple(5_000_000)),
  'net.ipv4.tcp_wmem': maybe(triple(50_000_000)),
  'net.netfilter.nf_conntrack_max': maybe(number(1, 3_000_000)),
  'net.netfilter.nf_conntrack_count': maybe(number(0, 200_000)),
  'vm.overcommit_memory': maybe(number(0, 2)),
  'vm.swappiness': maybe(number(0, 200)),
  '/proc/meminfo': fc
    .tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 2 }))
    .map(([memory, swap]) => meminfo(memory * GIB, swap * GIB)),
})

const own = fc.record({
  openFiles: fc.integer({ min: 20, max: 2_000_000 }),
  cores: fc.integer({ min: 1, max: 128 }),
})

test('printed, applied and read again, only what no setting gives is missing', () => {
  const connections = fc.integer({ min: 1, max: 20_000_000 })
  fc.assert(
    fc.property(
      files,
      own,
      connections,
      fc.constantFrom(...ENDS),
      (files, own, connections, end) => {
        using machine = new MadeMachine(files, own)
        const wanted = wish(connections, { end })
        const before = judgeMachine(machine.read(), wanted)
        machine.applySysctl(sysctlText(before))
        machine.applySystemd(systemdText(before))
        const after = judgeMachine(machine.read(), wanted)
        const left = after.findings.filter(({ state }) => state === 'short' || state === 'advice')
        const names = left.map(({ setting }) => setting.name)
        expect(names.filter((name) => name !== 'memory')).toEqual([])
        expect(settingsIn(sysctlText(after))).toEqual([])
        expect(after.holds ?? Infinity).toBeGreaterThanOrEqual(
          Math.min(before.holds ?? Infinity, shortOnes(after).length === 0 ? connections : 0),
        )
      },
    ),
    { numRuns: 100 },
  )
})

describe('the file for sysctl', () => {
  test('has nothing to change on a machine with plenty', () => {
    const { sysctl } = printed({})
    expect(settingsIn(sysctl)).toEqual([])
    expect(sysctl).toContain('# There is nothing to change.')
  })

  test.each<[Files, string[]]>([
    [{ 'net.core.somaxconn': '128' }, ['net.core.somaxconn = 512']],
    [{ 'fs.file-max': '5000' }, ['fs.file-max = 1011000']],
    [{ 'net.ipv4.tcp_mem': '10 20 30' }, ['net.ipv4.tcp_mem = 250000 333334 500000']],
    [{ 'net.ipv4.tcp_mem': '300000 400000 450000' }, ['net.ipv4.tcp_mem = 300000 400000 500000']],
    [{ 'net.ipv4.tcp_wmem': '4096 16384 33554432' }, ['net.ipv4.tcp_wmem = 4096 16384 4194304']],
    [
      { 'fs.nr_open': '500', 'vm.overcommit_memory': '2' },
      ['fs.nr_open = 1580', 'vm.overcommit_memory = 0'],
    ],
    [{ 'net.core.somaxconn': null, 'fs.file-max': null }, []],
  ])('of %j', (files, expected) => {
    expect(settingsIn(printed(files).sysctl)).toEqual(expected)
  })

  test('says why, and leaves out what was usual in 2008', () => {
    const { sysctl } = printed({ 'net.core.somaxconn': '128' })
    expect(sysctl).toContain('# connections that wait to be accepted; ')
    for (const name of ['rmem_max', 'wmem_max', 'tcp_max_tw_buckets', 'min_free_kbytes']) {
      expect(sysctl).toMatch(new RegExp(`^# .*${name}`, 'm'))
    }
  })
})

describe('the file for systemd', () => {
  test.each<[Wish, Partial<Own>, string]>([
    [wish(1_000_000), { cores: 2, openFiles: 20_000 }, 'LimitNOFILE=504560'],
    [wish(1_000_000), { cores: 1 }, 'LimitNOFILE=1001024'],
    [wish(10_000), { cores: 1, openFiles: 64 }, 'LimitNOFILE=10527'],
    [wish(10_000, { end: 'client' }), { cores: 1 }, 'LimitNOFILE=10064'],
    // No more than the kernel allows to be set.
    [wish(10_000_000), { cores: 1 }, 'LimitNOFILE=1048576'],
  ])('of %j and %j has %s', (wanted, own, expected) => {
    // The limit is a process's; so many are started as were reckoned with.
    const { connections, end } = wanted
    const environment = end === 'client' ? [] : [`Environment=COMET_CONNECTIONS=${connections}`]
    expect(settingsIn(printed({}, wanted, own).systemd)).toEqual([
      '[Service]',
      ...environment,
      expected,
      'TasksMax=infinity',
    ])
  })
})
