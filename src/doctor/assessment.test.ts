// Goal: the machine holds what its scarcest setting allows, and that setting is named. Method: a
// made machine with plenty of everything, from which one thing after another is taken.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Assessment, assess, type Finding, shortFindings } from './assessment.ts'
import { type Demand, ENDS } from './demand.ts'
import { demand, FakeMachine, type Files, GIB, meminfo } from './machine.fixture.ts'
import { type ProcessFacts, readMachine } from './machine.ts'

const MILLION = demand(1_000_000)
const BOTH = demand(1_000_000, { end: 'both' })
const CLIENT = demand(1_000_000, { end: 'client' })

function judge(
  files: Files = {},
  wanted: Demand = MILLION,
  own: Partial<ProcessFacts> = {},
): Assessment {
  using machine = new FakeMachine(files, own)
  return assess(machine.read(), wanted)
}

function finding({ findings }: Assessment, name: string): Finding {
  const found = findings.find(({ setting }) => setting.name === name)
  if (found === undefined) throw new Error(`there is no ${name}`)
  return found
}

function conntrack(max: number, count: number): Files {
  return {
    'net.netfilter.nf_conntrack_max': String(max),
    'net.netfilter.nf_conntrack_count': String(count),
  }
}

test('with plenty of everything a million streams fit, and memory limits them', () => {
  const assessment = judge()
  expect(assessment.isMet).toBe(true)
  expect(assessment.findings.filter(({ state }) => state !== 'ok')).toEqual([])
  expect(assessment.limit?.setting.name).toBe('memory')
  expect(assessment.holds).toBeGreaterThan(10_000_000)
})

describe('the setting that is short is the limit', () => {
  test.each<[string, number, Files, Demand, Partial<ProcessFacts>]>([
    ['open files of a process', 436, {}, MILLION, { openFiles: 500 }],
    ['open files of a process', 1, {}, MILLION, { openFiles: 65 }],
    ['open files of a process', 0, {}, MILLION, { openFiles: 20 }],
    ['fs.nr_open', 436, { 'fs.nr_open': '500' }, MILLION, {}],
    ['fs.file-max', 400_000, { 'fs.file-max': '401000' }, MILLION, {}],
    ['fs.file-max', 200_000, { 'fs.file-max': '401000' }, BOTH, {}],
    ['fs.file-max', 0, { 'fs.file-max': '900' }, MILLION, {}],
    ['net.ipv4.tcp_mem', 500_000, { 'net.ipv4.tcp_mem': '1 2 50000' }, MILLION, {}],
    ['net.netfilter.nf_conntrack_max', 262_000, conntrack(262_144, 144), MILLION, {}],
    ['net.netfilter.nf_conntrack_max', 0, conntrack(262_144, 262_144), MILLION, {}],
    ['memory', 320_000, { '/proc/meminfo': meminfo(2 * GIB) }, MILLION, { openFiles: 300_000 }],
    ['memory', 0, { '/proc/meminfo': meminfo(GIB / 32) }, MILLION, {}],
    ['local addresses', 50_000, { '/proc/net/fib_trie': address(2) }, CLIENT, {}],
    ['local addresses', 100_000, {}, { ...CLIENT, sources: 2 }, {}],
    ['net.ipv4.ip_local_port_range', 28_232, {}, { ...CLIENT, sources: 0 }, {}],
  ])('%s, at %p streams or somewhat more', (name, least, files, wanted, own) => {
    const assessment = judge(files, wanted, own)
    expect(assessment.isMet).toBe(false)
    expect(shortFindings(assessment).map(({ setting }) => setting.name)).toContain(name)
    expect(assessment.limit?.setting.name).toBe(name)
    expect(assessment.holds).toBeGreaterThanOrEqual(least)
    if (name !== 'open files of a process' && name !== 'fs.nr_open') {
      expect(assessment.holds).toBeLessThanOrEqual(least * 1.1)
    }
  })

  test('and no other setting is called short', () => {
    for (const files of [{ 'fs.file-max': '401000' }, conntrack(9_999, 1)]) {
      expect(shortFindings(judge(files))).toHaveLength(1)
    }
    expect(shortFindings(judge({}, MILLION, { openFiles: 500 }))).toHaveLength(1)
  })
})

function address(...hosts: number[]): string {
  return hosts.map((host) => `  |-- 10.0.0.${host}\n     /32 host LOCAL\n`).join('')
}

describe('memory', () => {
  const group = '/sys/fs/cgroup/memory.max'

  test('is lowered by a control group, and that is said', () => {
    const assessment = judge({ [group]: String(2 * GIB) })
    expect(finding(assessment, 'memory')).toMatchObject({
      ...{ state: 'short', shown: '2.0 GiB for this cgroup' },
    })
    expect(assessment.holds).toBe(judge({ '/proc/meminfo': meminfo(2 * GIB) }).holds)
  })

  test('is not raised by one', () => {
    const assessment = judge({ [group]: String(200 * GIB) })
    expect(finding(assessment, 'memory')).toMatchObject({ shown: '100.0 GiB available' })
  })
})

describe('a table of connections', () => {
  const name = 'net.netfilter.nf_conntrack_max'

  test.each<[string, Files, Partial<Finding>]>([
    ['that is not there limits nothing', {}, { state: 'ok', shown: 'not loaded' }],
    [
      'whose size cannot be read limits nothing',
      { 'net.netfilter.nf_conntrack_count': '9' },
      { state: 'ok', shown: 'not loaded' },
    ],
    ['that is empty is not used', conntrack(9_999, 0), { state: 'ok', shown: '9,999 (none used)' }],
    ['with just enough room should be larger', conntrack(1_500_000, 9), { state: 'advice' }],
    ['with room for all to come back is fine', conntrack(2_000_009, 9), { state: 'ok' }],
  ])('%s', (_, files, expected) => {
    expect(finding(judge(files), name)).toMatchObject(expected)
  })
})

describe('advice is given where it works and could be better', () => {
  const SWAP = { '/proc/meminfo': meminfo(100 * GIB, GIB) }

  test.each<[string, Files, Demand, Partial<ProcessFacts>]>([
    ['open files of a process', {}, MILLION, { openFiles: 20_000 }],
    ['fs.file-max', { 'fs.file-max': '1002000' }, MILLION, {}],
    ['net.core.somaxconn', { 'net.core.somaxconn': '128' }, MILLION, {}],
    ['net.ipv4.tcp_mem', { 'net.ipv4.tcp_mem': '1 2 499999' }, MILLION, {}],
    ['net.ipv4.tcp_wmem', { 'net.ipv4.tcp_wmem': '4096 16384 33554432' }, MILLION, {}],
    ['net.core.netdev_max_backlog', { 'net.core.netdev_max_backlog': '300' }, MILLION, {}],
    ['vm.overcommit_memory', { 'vm.overcommit_memory': '2' }, MILLION, {}],
    ['vm.swappiness', { ...SWAP, 'vm.swappiness': '60' }, MILLION, {}],
    ['vm.swappiness', { ...SWAP, 'vm.swappiness': '0' }, MILLION, {}],
  ])('%s', (name, files, wanted, own) => {
    const assessment = judge(files, wanted, own)
    expect(assessment.isMet).toBe(true)
    const advised = assessment.findings.filter(({ state }) => state === 'advice')
    expect(advised.map(({ setting }) => setting.name)).toEqual([name])
  })

  test.each<[string, Files, Demand, Partial<ProcessFacts>]>([
    ['swappiness without swap', { 'vm.swappiness': '0' }, MILLION, {}],
    ['low swappiness', { ...SWAP, 'vm.swappiness': '1' }, MILLION, {}],
    ['a queue where no server listens', { 'net.core.somaxconn': '128' }, CLIENT, { cores: 4 }],
    ['fewer files where few are wanted', {}, demand(10_000), { openFiles: 20_000 }],
    [
      'more files than the kernel allows',
      { 'fs.nr_open': '20000' },
      MILLION,
      { openFiles: 20_000 },
    ],
  ])('but not for %s', (_, files, wanted, own) => {
    const { findings } = judge({ '/proc/net/fib_trie': address(...FIFTY), ...files }, wanted, own)
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([])
  })
})

const FIFTY = Array.from({ length: 50 }, (_, at) => at + 1)

describe('both ends on one machine', () => {
  test('take twice the sockets, more memory, and no address of the network', () => {
    const [server, both] = [judge(), judge({}, BOTH)]
    expect(both.holds).toBeLessThan(server.holds ?? 0)
    expect(finding(both, 'local addresses')).toMatchObject({ state: 'ok', holds: null })
    expect(finding(both, 'net.ipv4.ip_local_port_range')).toMatchObject({ state: 'ok' })
  })
})

describe('what is unknown', () => {
  test('is shown, and is not a reason to refuse', () => {
    const assessment = judge({ 'fs.file-max': null, 'net.core.somaxconn': null })
    for (const name of ['fs.file-max', 'net.core.somaxconn']) {
      expect(finding(assessment, name)).toMatchObject({
        ...{ state: 'unknown', shown: 'unknown', value: null, holds: null },
      })
    }
    expect(assessment.isMet).toBe(true)
  })

  test('without /proc is all but open files and cores', () => {
    const facts = readMachine({ openFiles: 500, cores: 2 }, '/no/such/folder')
    const assessment = assess(facts, MILLION)
    const known = assessment.findings.filter(({ state }) => state !== 'unknown')
    expect(known.map(({ setting }) => setting.name)).toEqual([
      'open files of a process',
      'local addresses',
      'cores',
    ])
    expect([assessment.isMet, assessment.limit?.setting.name]).toEqual([
      false,
      known[0]?.setting.name,
    ])
  })

  test('has no number where nothing limits streams', () => {
    const { machine } = judge()
    const unbounded = { ...machine, kernel: new Map(), availableBytes: null }
    const assessment = assess({ ...unbounded, openFiles: Number.MAX_SAFE_INTEGER }, MILLION)
    expect(assessment).toMatchObject({ holds: null, limit: null, isMet: true })
  })
})

test('the machine holds as many streams as it says, and not one more', () => {
  const amounts = {
    openFiles: fc.integer({ min: 70, max: 100_000 }),
    fileMax: fc.integer({ min: 2_000, max: 10_000_000 }),
    pages: fc.integer({ min: 100, max: 1_000_000 }),
    memoryKib: fc.integer({ min: 500_000, max: 50_000_000 }),
    end: fc.constantFrom(...ENDS),
  }
  using machine = new FakeMachine()
  const plenty = machine.read()
  fc.assert(
    fc.property(fc.record(amounts), ({ openFiles, fileMax, pages, memoryKib, end }) => {
      const kernel = new Map(plenty.kernel)
      kernel.set('fs.file-max', [fileMax]).set('net.ipv4.tcp_mem', [1, 2, pages])
      const facts = { ...plenty, openFiles, kernel, availableBytes: memoryKib * 1024 }
      const isMet = (connections: number) => assess(facts, demand(connections, { end })).isMet
      const { holds } = assess(facts, demand(1, { end }))
      if (holds === null) throw new Error('memory limits them')
      if (holds > 0) expect([holds, isMet(holds)]).toEqual([holds, true])
      expect([holds, isMet(holds + 1)]).toEqual([holds, false])
    }),
    { numRuns: 200 },
  )
})
