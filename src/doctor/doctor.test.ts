// Goal: a start warns of what the machine lacks, in a few lines, and nothing otherwise.
// Method: made machines; this machine for a demand that any machine meets.

import { expect, test } from 'bun:test'
import { doctorLimits } from '../core/tool-limits.ts'
import { assess } from './assessment.ts'
import type { Demand } from './demand.ts'
import { machineWarnings, warningsOf } from './doctor.ts'
import { demand, FakeMachine, type Files, GIB, meminfo } from './machine.fixture.ts'

function warnings(files: Files, wanted: Demand = demand(1_000_000)): string[] {
  using machine = new FakeMachine(files)
  return warningsOf(assess(machine.read(), wanted))
}

const CONNTRACK = {
  'net.netfilter.nf_conntrack_max': '262144',
  'net.netfilter.nf_conntrack_count': '144',
}

test('nothing is written where all fits, even if it could be better', () => {
  expect(warnings({ 'net.core.somaxconn': '128', 'vm.overcommit_memory': '2' })).toEqual([])
  expect(machineWarnings(demand(10))).toEqual([])
})

test('a line says what a setting is, allows and should be, and what to run', () => {
  expect(warnings(CONNTRACK)).toEqual([
    'net.netfilter.nf_conntrack_max is 262,144: enough for about 262,000 of 1,000,000 streams; ' +
      'it should be at least 2,000,144. Run comet doctor --connections 1m for details.',
  ])
})

test('of several settings the scarcest come first, a few of them', () => {
  const files = {
    ...CONNTRACK,
    'fs.nr_open': '200',
    'fs.file-max': '901000',
    'net.ipv4.tcp_mem': '1 2 10000',
    '/proc/meminfo': meminfo(GIB),
  }
  const lines = warnings(files, demand(1_000_000, { end: 'both' }))
  expect(lines).toHaveLength(doctorLimits.warningsMax)
  expect(lines.map((line) => line.split(' ')[0])).toEqual([
    'fs.nr_open',
    'memory',
    'net.ipv4.tcp_mem',
  ])
  for (const line of lines) {
    expect(line).toEndWith('Run comet doctor --connections 1m --end both for details.')
  }
})
