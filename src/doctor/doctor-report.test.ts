// Goal: a person reads what each setting is, should be and why, how many streams that makes, and
// what to type; JSON follows its schema; and a machine to which the printed files are applied has
// what was asked for. Method: assessments of made machines; files applied as sysctl(8) and systemd
// would.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import { type Assessment, assess, shortFindings } from './assessment.ts'
import { type Demand, ENDS } from './demand.ts'
import {
  aboutText,
  assessmentText,
  DoctorReport,
  doctorReport,
  sysctlText,
  systemdText,
} from './doctor-report.ts'
import { SETTINGS } from './kernel-settings.ts'
import { demand, FakeMachine, type Files, GIB, meminfo } from './machine.fixture.ts'
import { type ProcessFacts, readMachine } from './machine.ts'

function text(
  files: Files = {},
  wanted: Demand = demand(1_000_000),
  facts: Partial<ProcessFacts> = {},
): string {
  using machine = new FakeMachine(files, facts)
  return assessmentText(assess(machine.read(), wanted))
}

/** What follows the empty line before the end. */
function ending(text: string): string[] {
  return text.split('\n\n').at(-1)?.split('\n').slice(1) ?? []
}

test('every setting is shown with what it is, what it should be, and why', () => {
  const shown = text({ 'net.core.somaxconn': '128' })
  for (const { name, why } of SETTINGS) {
    expect(shown).toContain(name)
    expect(shown).toContain(`          ${why}\n`)
  }
  expect(shown).toMatch(/^advice +net\.core\.somaxconn +128 {2}at least 512$/m)
  expect(shown).toMatch(
    /^ok +net\.ipv4\.tcp_wmem +4,096 16,384 4,194,304 {2}at most 4,194,304, the/m,
  )
  expect(shown).toMatch(/^ok +fs\.file-max +no limit {2}at least 1,011,000$/m)
  expect(shown).toMatch(/^ok +memory +100\.0 GiB available {2}at least 6\.\d GiB$/m)
})

test('every line fits a page, and every reason is one line', () => {
  for (const line of text().split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  for (const { why, in2008 } of SETTINGS) expect(why + in2008?.why).not.toContain('\n')
})

test('each setting of the list of 2008 is called obsolete, with the reason', () => {
  const past = text().split('are obsolete:\n')[1]?.split('\n\n')[0]?.split('\n') ?? []
  const names = past.filter((_, at) => at % 2 === 0).map((line) => line.trim())
  expect(names).toEqual([
    'net.ipv4.tcp_mem = 786432 1048576 26777216',
    'net.ipv4.tcp_rmem = 4096 16384 33554432',
    'net.ipv4.tcp_wmem = 4096 16384 33554432',
    'net.ipv4.tcp_max_tw_buckets = 360000',
    'net.core.netdev_max_backlog = 2500',
    'net.ipv4.ip_local_port_range = 1024 65535',
    'vm.swappiness = 0',
    'vm.min_free_kbytes = 65536',
    'net.core.rmem_max = 33554432',
    'net.core.wmem_max = 33554432',
  ])
  expect(past).toHaveLength(20)
})

describe('the end says how many streams there is room for, and what to type', () => {
  const DOCTOR = 'comet doctor --connections 1m'
  const SYSCTL = '--sysctl | sudo tee /etc/sysctl.d/60-comet.conf && sudo sysctl --system'

  test.each<[string, Files, Demand, Partial<ProcessFacts>, string[]]>([
    ['plenty', {}, demand(1_000_000), {}, ['1,000,000 fit: comet serve --connections 1m']],
    [
      'more users than usual',
      {},
      demand(2_000_000),
      {},
      ['2,000,000 fit: comet serve --connections 2m --max-users 2m'],
    ],
    [
      'both ends',
      {},
      demand(12_345, { end: 'both' }),
      {},
      ['12,345 fit: comet serve --connections 12345, and comet flood --connections 12345'],
    ],
    [
      'what could be better',
      { 'net.core.somaxconn': '128' },
      demand(1_000_000),
      { openFiles: 20_000, cores: 2 },
      [
        '1,000,000 fit: comet serve --connections 1m',
        'What could be better:',
        `  ${DOCTOR} ${SYSCTL}`,
        `  ulimit -n 504560, or for a unit of systemd: ${DOCTOR} --systemd`,
      ],
    ],
    [
      'a short setting, open files and memory',
      { 'fs.file-max': '9000', '/proc/meminfo': meminfo(2 * GIB) },
      demand(1_000_000),
      { openFiles: 100, cores: 2 },
      [
        '1,000,000 do not fit unless this is changed:',
        `  ${DOCTOR} ${SYSCTL}`,
        `  ulimit -n 504560, or for a unit of systemd: ${DOCTOR} --systemd`,
        '  memory: more memory, or fewer streams',
      ],
    ],
    [
      'few addresses',
      { '/proc/net/fib_trie': '  |-- 10.0.0.2\n     /32 host LOCAL\n' },
      demand(1_000_000, { end: 'client' }),
      {},
      [
        '1,000,000 do not fit unless this is changed:',
        '  local addresses: ip address add 10.0.0.2/24 dev eth0 and so on, and comet flood --source',
      ],
    ],
  ])('with %s', (_, files, wanted, own, expected) => {
    expect(ending(text(files, wanted, own))).toEqual(expected)
  })

  test('with the reason', () => {
    expect(text({ 'fs.file-max': '401000' })).toContain(
      'As it is, this machine holds about 400,000 streams; the limit is fs.file-max, 401,000.\n',
    )
  })
})

test('without /proc only what is known is shown, and nothing is promised', () => {
  const facts = readMachine({ openFiles: Number.MAX_SAFE_INTEGER, cores: 8 }, '/no/such/folder')
  const shown = assessmentText(assess(facts, demand(10_000)))
  expect(shown).toMatch(/^ok +open files of a process +no limit {2}at least [\d,]+$/m)
  expect(shown).not.toContain('net.')
  expect(shown).toContain('no known setting of this machine limits the number of streams')
})

test.each([
  [0, '0'],
  [7, '7'],
  [999, '999'],
  [28_232, '28,200'],
  [999_999, '999,000'],
  [1_000_000, '1,000,000'],
  [12_345_678, '12,300,000'],
])('about %p is %p', (count, expected) => {
  expect(aboutText(count)).toBe(expected)
})

function assessmentOf(files: Files, end: (typeof ENDS)[number] = 'server'): Assessment {
  using machine = new FakeMachine(files)
  return assess(machine.read(), demand(1_000_000, { end }))
}

const NOTHING = readMachine({ openFiles: Number.MAX_SAFE_INTEGER, cores: 1 }, '/no/such/folder')

test.each<[string, Assessment]>([
  ...ENDS.map((end): [string, Assessment] => [end, assessmentOf({}, end)]),
  ['a machine with little', assessmentOf({ 'fs.file-max': '9', 'vm.overcommit_memory': '2' })],
  ['a machine with a conntrack table', assessmentOf({ 'net.netfilter.nf_conntrack_max': '9' })],
  ['a machine of which nothing is known', assess(NOTHING, demand(1_000_000))],
])('the report on %s follows the schema', (_, assessment) => {
  const report: unknown = JSON.parse(JSON.stringify(doctorReport(assessment)))
  expect([...Value.Errors(DoctorReport, report)]).toEqual([])
})

test('a report says what limits the streams, and what to set', () => {
  const report = doctorReport(assessmentOf({ 'fs.file-max': '401000' }))
  expect(report).toMatchObject({
    ...{ connections: 1_000_000, end: 'server', met: false, holds: 400_000 },
    reason: 'fs.file-max',
  })
  expect(report.settings.find(({ name }) => name === 'fs.file-max')).toEqual({
    ...{ name: 'fs.file-max', state: 'short', unit: 'files', value: 401_000, is: '401,000' },
    ...{ shouldBe: 'at least 1,011,000', target: 1_011_000, holds: 400_000 },
    why: 'open files of the whole machine; each end of a stream on it is one',
    in2008: null,
  })
  expect(report.settings.find(({ name }) => name === 'vm.swappiness')?.in2008).toMatchObject({
    value: '0',
  })
})

test('what is unlimited or unknown has no number', () => {
  const { settings, holds, reason } = doctorReport(assess(NOTHING, demand(1_000_000)))
  expect([holds, reason]).toEqual([null, null])
  const numbers = settings.map(({ name, state, value }) => [name, state, value])
  expect(numbers).toContainEqual(['open files of a process', 'ok', null])
  expect(numbers).toContainEqual(['memory', 'unknown', null])
})

function printed(
  files: Files,
  wanted: Demand = demand(1_000_000),
  facts: Partial<ProcessFacts> = {},
) {
  using machine = new FakeMachine(files, facts)
  const assessment = assess(machine.read(), wanted)
  return { sysctl: sysctlText(assessment), systemd: systemdText(assessment) }
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

test('after the printed files are applied, only what no setting gives is missing', () => {
  const connections = fc.integer({ min: 1, max: 20_000_000 })
  fc.assert(
    fc.property(
      files,
      own,
      connections,
      fc.constantFrom(...ENDS),
      (files, own, connections, end) => {
        using machine = new FakeMachine(files, own)
        const wanted = demand(connections, { end })
        const before = assess(machine.read(), wanted)
        machine.applySysctl(sysctlText(before))
        machine.applySystemd(systemdText(before))
        const after = assess(machine.read(), wanted)
        const left = after.findings.filter(({ state }) => state === 'short' || state === 'advice')
        const names = left.map(({ setting }) => setting.name)
        expect(names.filter((name) => name !== 'memory')).toEqual([])
        expect(settingsIn(sysctlText(after))).toEqual([])
        expect(after.holds ?? Infinity).toBeGreaterThanOrEqual(
          Math.min(before.holds ?? Infinity, shortFindings(after).length === 0 ? connections : 0),
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

  test('says why, and leaves out what is obsolete since 2008', () => {
    const { sysctl } = printed({ 'net.core.somaxconn': '128' })
    expect(sysctl).toContain('# connections that wait to be accepted; ')
    for (const name of ['rmem_max', 'wmem_max', 'tcp_max_tw_buckets', 'min_free_kbytes']) {
      expect(sysctl).toMatch(new RegExp(`^# .*${name}`, 'm'))
    }
  })
})

describe('the file for systemd', () => {
  test.each<[Demand, Partial<ProcessFacts>, string]>([
    [demand(1_000_000), { cores: 2, openFiles: 20_000 }, 'LimitNOFILE=504560'],
    [demand(1_000_000), { cores: 1 }, 'LimitNOFILE=1001024'],
    [demand(10_000), { cores: 1, openFiles: 64 }, 'LimitNOFILE=10527'],
    [demand(10_000, { end: 'client' }), { cores: 1 }, 'LimitNOFILE=10064'],
    // No more than the kernel allows to be set.
    [demand(10_000_000), { cores: 1 }, 'LimitNOFILE=1048576'],
  ])('of %j and %j has %s', (wanted, own, expected) => {
    // The limit is that of a process, so that as many are started as it was calculated for.
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
