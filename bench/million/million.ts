// The last test of the reference as one command: a million users who follow each other, a stream
// for each of them on one machine, messages through all of them, and what it took.
//
//   bun run bench:million                               about twenty minutes
//   bun run bench:million --connections 10k --hold 30s  the same, small
//   bun run bench:million --check                       only what the machine lacks
//   bun run bench:million --render                      only the pages of the results, again

import { temporaryFolder } from '../harness/child.ts'
import type { Flood } from '../harness/flood.ts'
import { cometVersion, readMachine } from '../harness/machine.ts'
import { inOwnNetwork } from '../harness/network.ts'
import { buildComet, missingOptions, prepareFriends } from '../harness/prepare.ts'
import { checkMachine, checkTable } from './check.ts'
import { kernelSettings, lookAtMachine } from './machine.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { newRecord } from './record.ts'
import { type Conditions, millionReport } from './report.ts'
import { othersIn, renderResults, writeResults } from './results.ts'
import { run } from './run.ts'
import { Sampler } from './sampler.ts'
import { reportTable } from './table.ts'

const EXIT = { ok: 0, failed: 1, impossible: 2 } as const

const startedMs = performance.now()

function say(text: string): void {
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  console.error(`${String(seconds).padStart(5)} s  ${text}`)
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') {
    console.error(`bench:million: ${options}\n\n${USAGE}`)
    return EXIT.impossible
  }
  if (options.work === 'render') {
    for (const file of await renderResults(options.results)) say(`drew ${file}`)
    return EXIT.ok
  }
  const check = checkMachine(
    await lookAtMachine(options.connections, options.keep),
    options.connections,
  )
  console.error(`${checkTable(check)}\n`)
  if (check.some(({ ok }) => !ok)) {
    console.error('bench:million: this machine lacks what is marked as missing')
    return EXIT.impossible
  }
  if (options.work === 'check') return EXIT.ok
  if (options.build) await buildComet()
  const missing = await missingOptions()
  if (missing !== null) {
    console.error(`bench:million: ${missing}`)
    return EXIT.impossible
  }
  const conditions = {
    date: new Date(),
    command: ['bun run bench:million', ...repeatable(args)].join(' '),
    machine: readMachine(),
    settings: kernelSettings(),
    versions: { comet: await cometVersion(), bun: Bun.version },
    check,
  }
  return await measure(options, conditions)
}

/** The options that decide what is measured; where files lie is for everybody to say. */
function repeatable(args: readonly string[]): string[] {
  const folders = ['--keep', '--results']
  return args.filter((arg, at) => !folders.includes(arg) && !folders.includes(args[at - 1] ?? ''))
}

/** Runs it and writes what came of it, also of a run that broke off. */
async function measure(options: Options, conditions: Conditions): Promise<number> {
  const record = newRecord()
  let flood: Flood | null = null
  const sampler = new Sampler(() => flood?.lines ?? [])
  try {
    await using folder = await temporaryFolder()
    say(`comet friends makes up and loads who follows whom among ${options.connections} users`)
    const { database, ...prepared } = await prepareFriends(options, options.keep ?? folder.path)
    record.prepared = prepared
    const onFlood = (started: Flood) => {
      flood = started
    }
    await run({ options, database, record, sampler, onFlood, say })
  } catch (error) {
    record.failure = error instanceof Error ? error.message : String(error)
    say(`broke off: ${record.failure}`)
  } finally {
    sampler.stop()
  }
  const { connections } = options
  const report = millionReport(conditions, { connections, record, samples: sampler.samples })
  console.log(reportTable(report, await othersIn(options.results, report)))
  for (const file of await writeResults(options.results, report)) say(`wrote ${file}`)
  return report.ok ? EXIT.ok : EXIT.failed
}

const args = process.argv.slice(2)
process.exit((await inOwnNetwork(args)) ?? (await main(args)))
