// A long run under a steady load: does the server's memory level off, and does every message arrive?
//
//   bun run bench:soak                                  an hour of 10,000 streams, a tenth of them silent,
//                                                       and 5,000 messages a second
//   bun run bench:soak --duration 10min --rate 1k       shorter, less
//
// It says where the dashboard is, to be looked at meanwhile. Results go to results/soak.json; exit 1 when
// memory has not levelled off or a delivery is missing, twice or out of order.

import { temporaryFolder } from '../harness/child.ts'
import { readMachine, readVersions } from '../harness/machine.ts'
import { buildComet, prepareFriends } from '../harness/prepare.ts'
import { jsonText } from '../million/results.ts'
import { readOptions, USAGE } from './options.ts'
import { isHeld, soakReport, soakTable } from './report.ts'
import { sharesOf, soak } from './run.ts'

const RESULTS = `${import.meta.dir}/../results`

function say(text: string): void {
  console.error(`${new Date().toISOString().slice(11, 19)}  ${text}`)
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'string') {
    console.error(`bench:soak: ${options}\n\n${USAGE}`)
    return 2
  }
  if (options.build) await buildComet()
  const conditions = {
    date: new Date(),
    command: ['bun run bench:soak', ...args].join(' '),
    machine: readMachine(),
    versions: await readVersions(),
    options,
  }
  await using folder = await temporaryFolder()
  const { database } = await prepareFriends(
    { ...options, connections: sharesOf(options.connections).active },
    folder.path,
  )
  const report = soakReport(conditions, await soak(options, database, say))
  console.log(soakTable(report))
  await Bun.write(`${RESULTS}/soak.json`, jsonText(report))
  return isHeld(report) ? 0 : 1
}

process.exit(await main(process.argv.slice(2)))
