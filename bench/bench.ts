// Runs cases one after the other; prints the table, writes the JSON, fails when a target is not
// met.
//
//   bun run bench                               streams and messages, into results/bench.json
//   bun run bench:friends                       subscriptions, into results/friends.json
//   bun run bench:erlang                        an Erlang node beside POST, into erlang.json
//   bun run bench --suite tokens                the checks of tokens, into tokens.json
//   bun run bench --suite identity              names, tokens and expiry, into identity.json
//   bun run bench --suite log                   the log of recent messages, into log.json
//   bun run bench --runs 7 --only memory,start  two cases, into results/partial.json

import { mkdir } from 'node:fs/promises'
import { broadcast } from './broadcast.ts'
import { bus } from './bus/bus.ts'
import { follows } from './bus/follows.ts'
import { deliveries } from './deliveries/deliveries.ts'
import { erlang } from './erlang/erlang.ts'
import { followers, load } from './friends.ts'
import {
  type Case,
  casesReport,
  casesTable,
  isMissed,
  measure,
  type Outcome,
} from './harness/case.ts'
import { prepareComet } from './harness/comet.ts'
import { count, EXIT, type OptionValues, RESULTS, runCommand, text } from './harness/command.ts'
import { conditionsOf } from './harness/machine.ts'
import { jsonText } from './harness/report.ts'
import { expiry } from './identity/expiry.ts'
import { names } from './identity/names.ts'
import { opens } from './identity/opens.ts'
import { toNames } from './identity/to-names.ts'
import { append } from './log/append.ts'
import { recovery } from './log/recovery.ts'
import { resume } from './log/resume.ts'
import { memory } from './memory.ts'
import { publishing } from './publishing/publishing.ts'
import { routing } from './routing.ts'
import { start } from './start.ts'
import { tokens } from './tokens.ts'

/** Cases that are run together and have one file of results. */
const SUITES: Readonly<Record<string, readonly Case[]>> = {
  bench: [memory, deliveries, broadcast, publishing, start],
  friends: [load, followers, routing],
  erlang: [erlang],
  tokens: [tokens],
  identity: [names, toNames, opens, expiry],
  log: [append, resume, recovery],
  bus: [bus, follows],
}

const OPTIONS = {
  suite: text('bench', `cases that are run together: to run: ${Object.keys(SUITES).join(', ')}`),
  only: text('memory,start', 'some cases of the suite'),
  runs: count('5', 'counted runs of each case', { min: 1, max: 1_000 }),
}

/** The cases that are asked for, or a sentence about a name that does not exist. */
function casesOf(suite: string, only: string | null): Case[] | string {
  const all = SUITES[suite]
  if (all === undefined) return `there is no suite ${suite}, only ${Object.keys(SUITES).join(', ')}`
  const known = all.map(({ name }) => name)
  const names = only?.split(',') ?? known
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    return `there is no case ${JSON.stringify(unknown)}, only ${known.join(', ')}`
  }
  return all.filter(({ name }) => names.includes(name))
}

async function main(
  { suite, only, runs }: OptionValues<typeof OPTIONS>,
  args: readonly string[],
): Promise<number | string> {
  const name = suite ?? 'bench'
  const cases = casesOf(name, only)
  if (typeof cases === 'string') return cases
  await prepareComet(true)
  const conditions = await conditionsOf('bun bench/bench.ts', args)
  const outcomes: Outcome[] = []
  for (const of of cases) outcomes.push(await measure(of, runs, console.error))
  console.log(casesTable(conditions, outcomes))
  await mkdir(RESULTS, { recursive: true })
  const isWhole = cases.length === SUITES[name]?.length
  const report = jsonText(casesReport(conditions, outcomes))
  await Bun.write(`${RESULTS}/${isWhole ? name : 'partial'}.json`, report)
  return outcomes.some(isMissed) ? EXIT.failed : EXIT.ok
}

await runCommand('bench', OPTIONS, main)
