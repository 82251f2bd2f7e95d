// Runs the benchmarks: the table of cases, one uncounted run of each to warm up, then the counted
// ones; prints the table, writes the JSON, and fails when a target is not met.
//
//   bun run bench                              streams and messages, into results/bench.json
//   bun run bench:friends                      subscriptions, into results/friends.json
//   bun run bench:erlang                       an Erlang node beside POST, into results/erlang.json
//   bun run bench --runs 7 --only memory,start    two cases, into results/partial.json

import { mkdir } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { settledWithin } from '../src/core/deadline.ts'
import { deliveries } from './deliveries/deliveries.ts'
import { erlang } from './erlang/erlang.ts'
import { followers, load } from './friends.ts'
import { type Case, isMet, type Series } from './harness/case.ts'
import { readMachine, readVersions } from './harness/machine.ts'
import { orWhyNot } from './harness/options.ts'
import { benchConditions, benchReport, benchTable, type Outcome } from './harness/report.ts'
import { memory } from './memory.ts'
import { publishing } from './publishing/publishing.ts'
import { routing } from './routing.ts'
import { start } from './start.ts'

/** Cases that are run together and have one file of results. */
const SUITES: Readonly<Record<string, readonly Case[]>> = {
  bench: [memory, deliveries, publishing, start],
  friends: [load, followers, routing],
  erlang: [erlang],
}

/** Milliseconds for the build, which takes some seconds. */
const BUILD_MS_MAX = 300_000

const RESULTS = `${import.meta.dir}/results`

interface Options {
  readonly suite: string
  /** Are these all cases of the suite? */
  readonly isWhole: boolean
  readonly runs: number
  readonly cases: readonly Case[]
}

function readOptions(): Options | string {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string', default: 'bench' },
      runs: { type: 'string', default: '5' },
      only: { type: 'string' },
    },
  })
  const { suite } = values
  const all = SUITES[suite]
  if (all === undefined) return `there is no suite ${suite}, only ${Object.keys(SUITES).join(', ')}`
  const runs = Number(values.runs)
  if (!Number.isInteger(runs) || runs < 1 || runs > 1_000) return '--runs is a number from 1 on'
  const names = values.only?.split(',') ?? all.map(({ name }) => name)
  const stranger = names.find((name) => all.every((of) => of.name !== name))
  if (stranger !== undefined) {
    const known = all.map(({ name }) => name).join(', ')
    return `there is no case ${JSON.stringify(stranger)}, only ${known}`
  }
  const cases = all.filter(({ name }) => names.includes(name))
  return { suite, isWhole: cases.length === all.length, runs, cases }
}

async function build(): Promise<boolean> {
  const script = `${import.meta.dir}/../scripts/build.ts`
  const child = Bun.spawn([process.execPath, script], { stdout: 'inherit', stderr: 'inherit' })
  const code = await settledWithin(child.exited, BUILD_MS_MAX)
  if (code === undefined) {
    say(`waited ${BUILD_MS_MAX} ms in vain for the build`)
    child.kill('SIGKILL')
  }
  return code === 0
}

/** One case; a failure is its outcome, so that it does not take the other cases with it. */
async function measure(of: Case, runs: number): Promise<Outcome> {
  try {
    const session = await of.open()
    if ('impossible' in session) return { name: of.name, why: session.impossible, failed: false }
    await using _ = session
    say(`${of.name}: warm-up`)
    await session.run()
    const values: Record<string, number>[] = []
    for (const all = Math.max(runs, of.runsMin ?? 0); values.length < all; ) {
      values.push(await session.run())
      say(`${of.name}: ${values.length}/${all} ${JSON.stringify(values.at(-1))}`)
    }
    return { name: of.name, series: seriesOf(of, values) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { name: of.name, why, failed: true }
  }
}

function seriesOf(of: Case, runs: readonly Record<string, number>[]): Record<string, Series> {
  return Object.fromEntries(
    Object.entries(of.figures).map(([figure, spec]) => [
      figure,
      { spec, values: runs.map((run) => run[figure] ?? Number.NaN) },
    ]),
  )
}

function say(line: string): void {
  console.error(line)
}

async function main(): Promise<number> {
  const options = orWhyNot(readOptions)
  if (typeof options === 'string') {
    say(`bench: ${options}`)
    return 2
  }
  if (!(await build())) return 1
  const conditions = {
    date: new Date(),
    command: ['bun bench/bench.ts', ...process.argv.slice(2)].join(' '),
    machine: readMachine(),
    versions: await readVersions(),
  }
  const outcomes: Outcome[] = []
  for (const of of options.cases) outcomes.push(await measure(of, options.runs))
  console.log(`${benchTable(outcomes)}\n\n${benchConditions(conditions)}`)
  await mkdir(RESULTS, { recursive: true })
  const file = `${RESULTS}/${options.isWhole ? options.suite : 'partial'}.json`
  await Bun.write(file, `${JSON.stringify(benchReport(conditions, outcomes), null, 2)}\n`)
  const missed = outcomes.some((of) => 'series' in of && Object.values(of.series).some(isMissed))
  const failed = outcomes.some((of) => 'why' in of && of.failed)
  return missed || failed ? 1 : 0
}

function isMissed(series: Series): boolean {
  return isMet(series) === false
}

process.exit(await main())
