// Goal: a person reads what each setting is, should be and why, how many streams that makes, and what
// to type. Method: verdicts on made machines, as text.

import { describe, expect, test } from 'bun:test'
import { type Files, GIB, MadeMachine, meminfo, wish } from './machine.fixture.ts'
import type { Wish } from './need.ts'
import { aboutText, verdictText } from './print.ts'
import { type Own, readMachine } from './readings.ts'
import { SETTINGS } from './table.ts'
import { judgeMachine } from './verdict.ts'

function text(files: Files = {}, wanted: Wish = wish(1_000_000), own: Partial<Own> = {}): string {
  using machine = new MadeMachine(files, own)
  return verdictText(judgeMachine(machine.read(), wanted))
}

/** What follows the empty line before the end. */
function ending(text: string): string[] {
  return text.split('\n\n').at(-1)?.split('\n').slice(1) ?? []
}

test('every setting is there with what it is, what it should be, and why', () => {
  const told = text({ 'net.core.somaxconn': '128' })
  for (const { name, why } of SETTINGS) {
    expect(told).toContain(name)
    expect(told).toContain(`          ${why}\n`)
  }
  expect(told).toMatch(/^advice +net\.core\.somaxconn +128 {2}at least 512$/m)
  expect(told).toMatch(
    /^ok +net\.ipv4\.tcp_wmem +4,096 16,384 4,194,304 {2}at most 4,194,304, the/m,
  )
  expect(told).toMatch(/^ok +fs\.file-max +no limit {2}at least 1,011,000$/m)
  expect(told).toMatch(/^ok +memory +100\.0 GiB available {2}at least 8\.\d GiB$/m)
})

test('every line fits a page, and every reason is one line', () => {
  for (const line of text().split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  for (const { why, in2008 } of SETTINGS) expect(why + in2008?.why).not.toContain('\n')
})

test('each setting of the list of 2008 is told to be obsolete, and why', () => {
  const past = text().split('is obsolete:\n')[1]?.split('\n\n')[0]?.split('\n') ?? []
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

  test.each<[string, Files, Wish, Partial<Own>, string[]]>([
    ['plenty', {}, wish(1_000_000), {}, ['1,000,000 fit: comet serve --connections 1m']],
    [
      'more users than usual',
      {},
      wish(2_000_000),
      {},
      ['2,000,000 fit: comet serve --connections 2m --max-users 2m'],
    ],
    [
      'both ends',
      {},
      wish(12_345, { end: 'both' }),
      {},
      ['12,345 fit: comet serve --connections 12345, and comet flood --connections 12345'],
    ],
    [
      'what could be better',
      { 'net.core.somaxconn': '128' },
      wish(1_000_000),
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
      wish(1_000_000),
      { openFiles: 100, cores: 2 },
      [
        '1,000,000 do not fit, unless this is changed:',
        `  ${DOCTOR} ${SYSCTL}`,
        `  ulimit -n 504560, or for a unit of systemd: ${DOCTOR} --systemd`,
        '  memory: more memory, or fewer streams',
      ],
    ],
    [
      'few addresses',
      { '/proc/net/fib_trie': '  |-- 10.0.0.2\n     /32 host LOCAL\n' },
      wish(1_000_000, { end: 'client' }),
      {},
      [
        '1,000,000 do not fit, unless this is changed:',
        '  local addresses: ip address add 10.0.0.2/24 dev eth0 and so on, and comet flood --source',
      ],
    ],
  ])('with %s', (_, files, wanted, own, expected) => {
    expect(ending(text(files, wanted, own))).toEqual(expected)
  })

  test('with the reason', () => {
    expect(text({ 'fs.file-max': '401000' })).toContain(
      'As it is, this machine holds about 400,000 streams: what decides is fs.file-max, 401,000.\n',
    )
  })
})

test('without /proc there is what is known, and no empty promise', () => {
  const readings = readMachine({ openFiles: Number.MAX_SAFE_INTEGER, cores: 8 }, '/no/such/folder')
  const told = verdictText(judgeMachine(readings, wish(10_000)))
  expect(told).toMatch(/^ok +open files of a process +no limit {2}at least [\d,]+$/m)
  expect(told).not.toContain('net.')
  expect(told).toContain('nothing that is known here bounds the number of streams')
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
