// Goal: a start warns of what the machine lacks, in a few lines, and says nothing where nothing is
// lacking. Method: made machines; this machine for a wish that any machine meets.

import { expect, test } from 'bun:test'
import { doctorLimits } from '../core/tool-limits.ts'
import { type Files, GIB, MadeMachine, meminfo, wish } from './machine.fixture.ts'
import type { Wish } from './need.ts'
import { judgeMachine } from './verdict.ts'
import { machineWarnings, warningsOf } from './warnings.ts'

function warnings(files: Files, wanted: Wish = wish(1_000_000)): string[] {
  using machine = new MadeMachine(files)
  return warningsOf(judgeMachine(machine.read(), wanted))
}

const CONNTRACK = {
  'net.netfilter.nf_conntrack_max': '262144',
  'net.netfilter.nf_conntrack_count': '144',
}

test('nothing is said where all fits, even if it could be better', () => {
  expect(warnings({ 'net.core.somaxconn': '128', 'vm.overcommit_memory': '2' })).toEqual([])
  expect(machineWarnings(wish(10))).toEqual([])
})

test('a line says what it is, what it makes, what it should be, and who knows more', () => {
  expect(warnings(CONNTRACK)).toEqual([
    'net.netfilter.nf_conntrack_max is 262,144: enough for about 262,000 streams of 1,000,000; ' +
      'it should be at least 2,000,144. comet doctor --connections 1m says more.',
  ])
})

test('of several the scarcest come first, a few of them', () => {
  const files = {
    ...CONNTRACK,
    'fs.nr_open': '200',
    'fs.file-max': '901000',
    'net.ipv4.tcp_mem': '1 2 10000',
    '/proc/meminfo': meminfo(GIB),
  }
  const lines = warnings(files, wish(1_000_000, { end: 'both' }))
  expect(lines).toHaveLength(doctorLimits.warningsMax)
  expect(lines.map((line) => line.split(' ')[0])).toEqual([
    'fs.nr_open',
    'memory',
    'net.ipv4.tcp_mem',
  ])
  for (const line of lines) {
    expect(line).toEndWith('comet doctor --connections 1m --end both says more.')
  }
})
