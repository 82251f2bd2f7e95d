// Goal: what programs are told is what the schema says and what people are told. Method: reports of
// machines with much, little and nothing known, as they come out of JSON.

import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { type Files, MadeMachine, wish } from './machine.fixture.ts'
import { ENDS } from './need.ts'
import { readMachine } from './readings.ts'
import { DoctorReport, doctorReport } from './report.ts'
import { judgeMachine, type Verdict } from './verdict.ts'

function verdictOf(files: Files, end: (typeof ENDS)[number] = 'server'): Verdict {
  using machine = new MadeMachine(files)
  return judgeMachine(machine.read(), wish(1_000_000, { end }))
}

const NOTHING = readMachine({ openFiles: Number.MAX_SAFE_INTEGER, cores: 1 }, '/no/such/folder')

test.each<[string, Verdict]>([
  ...ENDS.map((end): [string, Verdict] => [end, verdictOf({}, end)]),
  ['little', verdictOf({ 'fs.file-max': '9', 'vm.overcommit_memory': '2' })],
  ['a table', verdictOf({ 'net.netfilter.nf_conntrack_max': '9' })],
  ['nothing known', judgeMachine(NOTHING, wish(1_000_000))],
])('the report on %s is as the schema says', (_, verdict) => {
  const report: unknown = JSON.parse(JSON.stringify(doctorReport(verdict)))
  expect([...Value.Errors(DoctorReport, report)]).toEqual([])
})

test('a report says what bounds the streams, and what to set', () => {
  const report = doctorReport(verdictOf({ 'fs.file-max': '401000' }))
  expect(report).toMatchObject({
    ...{ connections: 1_000_000, end: 'server', met: false, holds: 400_000 },
    reason: 'fs.file-max',
  })
  expect(report.settings.find(({ name }) => name === 'fs.file-max')).toEqual({
    ...{ name: 'fs.file-max', state: 'short', unit: 'files', value: 401_000, is: '401,000' },
    ...{ shouldBe: 'at least 1,011,000', target: 1_011_000, holds: 400_000 },
    why: 'open files of the whole machine; each end of a stream that is here is one',
    in2008: null,
  })
  expect(report.settings.find(({ name }) => name === 'vm.swappiness')?.in2008).toMatchObject({
    value: '0',
  })
})

test('what is not limited or not known has no number', () => {
  const { settings, holds, reason } = doctorReport(judgeMachine(NOTHING, wish(1_000_000)))
  expect([holds, reason]).toEqual([null, null])
  const numbers = settings.map(({ name, state, value }) => [name, state, value])
  expect(numbers).toContainEqual(['open files of a process', 'ok', null])
  expect(numbers).toContainEqual(['memory', 'unknown', null])
})
