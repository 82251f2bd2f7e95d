// The last test of 2008 as one command: a million users who follow each other, a stream for each of
// them on one machine, messages through all of them, and what it took.
//
//   bun run bench:million                               about twenty minutes
//   bun run bench:million --connections 10k --hold 30s  the same, small
//   bun run bench:million --connections 2m --anyway       although the memory may not suffice
//   bun run bench:million --check                       only what the machine lacks
//   bun run bench:million --render                      only the pages of the results, again

import { makeFolder } from '../../scripts/support/folder.ts'
import { prepareComet, prepareFriends } from '../harness/comet.ts'
import {
  count,
  duration,
  EXIT,
  elapsedLog,
  flag,
  noBuild,
  type OptionValues,
  RESULTS,
  runCommand,
  text,
} from '../harness/command.ts'
import { conditionsOf } from '../harness/machine.ts'
import { checkMachine, checkTable, kernelSettings, lookAtMachine } from './check.ts'
import { newRecord } from './record.ts'
import { type MillionConditions, millionReport } from './report.ts'
import { othersIn, renderResults, writeResults } from './results.ts'
import { measureRun } from './run.ts'
import { Sampler } from './sampler.ts'
import { reportTable } from './table.ts'

/** A second at least, a day at most. */
const TIME = { min: 1_000, max: 86_400_000 }

export const OPTIONS = {
  connections: count('1m', 'streams to open', { min: 1_000, max: 10_000_000 }),
  hold: duration('10m', 'how long 16,666 messages a second flow', TIME),
  silence: duration('5min', 'how long all streams are held before', TIME),
  attempt: duration('15s', 'how long one attempt at a higher rate lasts', TIME),
  'to-search': flag('also search the highest rate of messages to one user each'),
  keep: text('FOLDER', 'keep the graph of friends there, or use the one that is there'),
  results: text('FOLDER', 'where the results go, instead of bench/results'),
  'no-build': noBuild,
  check: flag('only say what the machine lacks'),
  anyway: flag('run although the machine lacks something'),
  render: flag('only draw the pages and pictures of the results again'),
}

type Values = OptionValues<typeof OPTIONS>

/**
 * Two sockets a connection of two million fit into this table, as the boot parameter
 * `thash_entries` gives a machine that is meant for a million streams.
 */
const NETWORK = { tableEntries: 4_194_304 }

const log = elapsedLog()

async function main(values: Values, args: readonly string[]): Promise<number | string> {
  const { connections, keep, results } = values
  if (values.render && !values.check) {
    for (const file of await renderResults(results ?? RESULTS)) log(`drew ${file}`)
    return EXIT.ok
  }
  const check = checkMachine(lookAtMachine(connections, keep), connections)
  console.error(`${checkTable(check)}\n`)
  const isShort = check.some(({ ok }) => !ok)
  if (isShort && (values.check || !values.anyway)) {
    return 'this machine lacks what is marked as missing'
  }
  if (values.check) return EXIT.ok
  const missing = await prepareComet(!values['no-build'])
  if (missing !== null) return missing
  const conditions = await conditionsOf('bun run bench:million', repeatable(args))
  return await measure(values, { ...conditions, settings: kernelSettings(), check })
}

/** The options that decide what is measured; where files are does not. */
function repeatable(args: readonly string[]): string[] {
  const folders = ['--keep', '--results']
  return args.filter((arg, at) => !folders.includes(arg) && !folders.includes(args[at - 1] ?? ''))
}

/** Runs it and writes what it measured, also if it broke off. */
async function measure(values: Values, conditions: MillionConditions): Promise<number> {
  const { connections, hold: holdMs, silence: silenceMs, attempt: attemptMs } = values
  const run = { connections, holdMs, silenceMs, attemptMs, searchesTo: values['to-search'] }
  const results = values.results ?? RESULTS
  const record = newRecord()
  const sampler = new Sampler()
  try {
    await using folder = await makeFolder()
    log(`comet friends generates and loads who follows whom among ${connections} users`)
    const friends = await prepareFriends(connections, values.keep ?? folder.path)
    const { database, ...prepared } = friends
    record.prepared = prepared
    await measureRun({ options: run, database, record, sampler, log })
  } catch (error) {
    record.failure = error instanceof Error ? error.message : String(error)
    log(`broke off: ${record.failure}`)
  } finally {
    sampler.stop()
  }
  const report = millionReport(conditions, { connections, record, samples: sampler.samples })
  console.log(reportTable(report, await othersIn(results, report)))
  for (const file of await writeResults(results, report)) log(`wrote ${file}`)
  return report.ok ? EXIT.ok : EXIT.failed
}

if (import.meta.main) await runCommand('bench:million', OPTIONS, main, NETWORK)
