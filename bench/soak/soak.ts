// A long run under a steady load: does the server's memory level off, and does every message
// arrive?
//
//   bun run bench:soak                             an hour of 10,000 streams, a tenth of them
//                                                  silent, and 5,000 messages a second
//   bun run bench:soak --duration 10min --rate 1k  shorter, less
//
// It prints the address of the dashboard, to be watched meanwhile. Results go to results/soak.json;
// exit 1 when memory has not levelled off or a delivery is missing, twice or out of order.

import { makeFolder } from '../../scripts/support/folder.ts'
import { prepareComet, prepareFriends } from '../harness/comet.ts'
import {
  count,
  duration,
  EXIT,
  elapsedLog,
  noBuild,
  type OptionValues,
  RESULTS,
  runCommand,
} from '../harness/command.ts'
import { conditionsOf } from '../harness/machine.ts'
import { jsonText } from '../harness/report.ts'
import { isHeld, soakReport, soakTable } from './report.ts'
import { sharesOf, soak } from './run.ts'

export const OPTIONS = {
  connections: count('10k', 'streams to hold', { min: 1_000, max: 1_000_000 }),
  rate: count('5k', 'messages a second, to one user each and about users together', {
    min: 100,
    max: 1_000_000,
  }),
  duration: duration('1h', 'how long they flow', { min: 60_000, max: 7 * 86_400_000 }),
  'no-build': noBuild,
}

async function main(
  values: OptionValues<typeof OPTIONS>,
  args: readonly string[],
): Promise<number | string> {
  const missing = await prepareComet(!values['no-build'])
  if (missing !== null) return missing
  const { connections, rate: ratePerSecond, duration: durationMs } = values
  const load = { connections, ratePerSecond, durationMs }
  const conditions = await conditionsOf('bun run bench:soak', args)
  await using folder = await makeFolder()
  const { database } = await prepareFriends(sharesOf(connections).active, folder.path)
  const report = soakReport(conditions, load, await soak(load, database, elapsedLog()))
  console.log(soakTable(report))
  await Bun.write(`${RESULTS}/soak.json`, jsonText(report))
  return isHeld(report) ? EXIT.ok : EXIT.failed
}

if (import.meta.main) await runCommand('bench:soak', OPTIONS, main)
