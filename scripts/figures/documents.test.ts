// Goal: a figure that a document has and its results file has not, or has otherwise, is reported
// with its line, and nothing else is. Method: small documents beside results like those of the
// benches; and the documents of the repository.

import { expect, test } from 'bun:test'
import { checkDocument } from './documents.ts'
import { FIGURES } from './list.ts'
import { numberOf, textOf } from './results.ts'

const RESULTS: Readonly<Record<string, unknown>> = {
  'bench.json': {
    figures: [
      { case: 'memory', figure: 'descriptorBytes', median: 160.8, min: 138.4, max: 171.7 },
      { case: 'deliveries', figure: 'comet', median: 125_417, min: 117_320, max: 126_912 },
    ],
  },
  'million-1m.json': {
    figures: [
      { figure: 'missing', value: 3 },
      { figure: 'promised', value: 18_016_584 },
      { figure: 'steadyP99Ms', value: 16.895 },
    ],
  },
  'peers.json': {
    peers: [
      { name: 'nchan', figures: [{ figure: 'p99Ms', value: { median: 5.715, min: 5, max: 6 } }] },
    ],
  },
  'log.json': { date: '2026-11-30T16:48:24.318Z', versions: { comet: 'comet 0.1.0 (8e8270e, x)' } },
  'soak.json': { server: { quarterBytes: [38_551_552] } },
}

const read = (file: string) => RESULTS[file] ?? {}

function check(...lines: string[]) {
  return checkDocument(lines.join('\n'), read)
}

const HEAD = ['| measured | figure | runs | command |', '| --- | --- | --- | --- |']

const MEMORY =
  '| process memory of a silent stream | 161 bytes | 138 to 172 bytes | `bun run bench --only memory` |'

test('a figure that is that of its results file is right', () => {
  expect(check(...HEAD, MEMORY).problems).toEqual([])
  const rows = [
    '| measured | p99 at that rate |\n| --- | --- |\n| nchan | 5.7 ms |',
    '| measured | first quarter |\n| --- | --- |\n| memory of the server | 36.8 MiB |',
    '| measured | 1,000,000 | 2008 |\n| --- | --- | --- |\n| publish to receive, p99 | 16.9 ms | 1 s |',
    '| measured | figure |\n| --- | --- |\n| deliveries lost in that run | 3 of 18,016,584 |',
  ]
  for (const row of rows) expect(check(row).problems).toEqual([])
})

test.each([
  ['161 bytes', '160 bytes'],
  ['138 to 172 bytes', '138 to 171 bytes'],
  ['`bun run bench --only memory`', '`bun run bench`'],
])('another text in place of %s is reported, and put right', (right, wrong) => {
  const { text, problems } = check(...HEAD, MEMORY.replace(right, wrong))
  expect(problems.map(({ line }) => line)).toEqual([3])
  expect(problems[0]?.text).toContain(right)
  expect(text).toBe([...HEAD, MEMORY].join('\n'))
})

test('a table of results has their dates and commits', () => {
  const head = ['| results | date | commit |', '| --- | --- | --- |']
  expect(check(...head, '| log.json | 2026-11-30 | 8e8270e |').problems).toEqual([])
  const { problems } = check(...head, '| log.json | 2026-11-29 | 8e8270f |')
  expect(problems.map(({ line, text }) => [line, text.split(' is ')[0]])).toEqual([
    [3, '"date of log.json"'],
    [3, '"commit of log.json"'],
  ])
  expect(() => check(...head, '| soak.json | 2026-11-29 | ? |')).toThrow('has no date')
})

test('a figure that is not in the list is reported', () => {
  const { problems } = check(...HEAD, '| memory of a noisy stream | 5 bytes | | |')
  expect(problems).toEqual([
    { line: 3, text: 'there is no figure "memory of a noisy stream" in scripts/figures/list.ts' },
  ])
})

test('a figure of the list that its results file has not is an error', () => {
  const row = '| the same over TLS | 4,695 bytes | | |'
  expect(() => check(...HEAD, row)).toThrow('bench/results/bench.json has no memory.tlsBytes')
})

test.each([
  'A stream takes 161 bytes a stream.',
  'It delivers 125,417 a second.',
  'A delivery takes 9.2 µs.',
  'Latency is p99 16.9 ms.',
  '| a table of | another kind: 4 µs |',
])('what looks measured is reported outside of a table of figures: %s', (line) => {
  expect(check('# Title', '', line).problems.map((problem) => problem.line)).toEqual([3])
})

test.each([
  '`comet gen` with `p99<50ms`, and `9.2 µs` as code',
  'At most 10,000 a second, by default.',
  'A message is at most 397,312 bytes of JSON.',
])('what is code, a limit or another number is not: %s', (line) => {
  expect(check(line).problems).toEqual([])
  expect(check('```', '1.5 µs a message', '```').problems).toEqual([])
})

test('a name is one figure, and each is in its results file', async () => {
  const root = `${import.meta.dir}/../../bench/results`
  const files = new Map<string, unknown>()
  for (const { file } of FIGURES.values()) {
    if (!files.has(file)) files.set(file, await Bun.file(`${root}/${file}`).json())
  }
  for (const figure of FIGURES.values()) {
    expect(textOf(figure, (file) => files.get(file))).toMatch(/^-?\d/)
  }
})

test('the documents of the repository have no other figures', async () => {
  const script = `${import.meta.dir}/../figures.ts`
  const { exitCode, stderr } = await Bun.$`${process.execPath} ${script}`.quiet().nothrow()
  expect([exitCode, stderr.toString()]).toEqual([0, ''])
})

test('what the page of figures says of who is ahead is so', async () => {
  const page = await Bun.file(`${import.meta.dir}/../../src/manual/measured.md`).text()
  const text = page.replaceAll(/\s+/g, ' ')
  const files = `${import.meta.dir}/../../bench/results`
  const read = new Map<string, unknown>()
  for (const file of ['peers.json', 'soak.json']) {
    read.set(file, await Bun.file(`${files}/${file}`).json())
  }
  const value = (key: string, file = 'peers.json') => numberOf({ file, key }, (of) => read.get(of))
  expect(text).toContain('mosquitto delivers more a second than comet at one message a request')
  expect(value('mosquitto.deliveredPerSecond')).toBeGreaterThan(value('comet.deliveredPerSecond'))
  expect(text).toContain('and has a lower p99; nchan delivers about as much')
  expect(value('mosquitto.p99Ms')).toBeLessThan(value('comet.p99Ms'))
  const toNchan = value('nchan.deliveredPerSecond') / value('comet.deliveredPerSecond')
  expect(Math.abs(toNchan - 1)).toBeLessThan(0.1)
  expect(text).toContain("The server's last quarter is not above the highest before.")
  expect(value('/server/lastToHighest', 'soak.json')).toBeLessThanOrEqual(1)
  expect(text).toContain("The client's is, by a twentieth")
  expect(value('/flood/lastToHighest', 'soak.json')).toBeCloseTo(1.05, 1)
})
