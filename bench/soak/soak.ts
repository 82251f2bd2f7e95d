// A long run under a steady load: does the server's memory level off, and does every message
// arrive?
//
//   bun run bench:soak                             an hour of 10,000 streams, a tenth of them
//                                                  silent, a tenth that close and come back, and
//                                                  5,000 messages a second
//   bun run bench:soak --duration 10min --rate 1k  shorter, less
//   bun run bench:soak --churn 0 --slow 0 --vanish 0  only streams that stay
//
// It prints the address of the dashboard, to be watched meanwhile. Results go to results/soak.json;
// exit 1 when memory or descriptors have not levelled off, a delivery is missing, twice or out of
// order, or a client that does not read or has vanished is still held.

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
import { soak, usersOf } from './run.ts'

/** Each kind has one process of `comet flood`. */
const FAULTY = { min: 0, max: 10_000 }

export const OPTIONS = {
  connections: count('10k', 'streams to hold', { min: 1_000, max: 1_000_000 }),
  rate: count('5k', 'messages a second, to one user each and about users together', {
    min: 100,
    max: 1_000_000,
  }),
  duration: duration('1h', 'how long they flow', { min: 60_000, max: 7 * 86_400_000 }),
  churn: count('50', 'streams that close and open again a second', { min: 0, max: 100_000 }),
  slow: count('10', 'clients at a time that stop reading, until they are cut', FAULTY),
  vanish: count('100', 'clients at a time that vanish without FIN or RST', FAULTY),
  'no-build': noBuild,
}

async function main(
  values: OptionValues<typeof OPTIONS>,
  args: readonly string[],
): Promise<number | string> {
  const missing = await prepareComet(!values['no-build'])
  if (missing !== null) return missing
  const { connections, rate: ratePerSecond, duration: durationMs, churn, slow, vanish } = values
  const load = {
    ...{ connections, ratePerSecond, durationMs },
    ...{ churnPerSecond: churn, slow, vanishing: vanish },
  }
  const conditions = await conditionsOf('bun run bench:soak', args)
  await using folder = await makeFolder()
  const { database } = await prepareFriends(usersOf(load).active.count, folder.path)
  const outcome = await soak({ load, folder: folder.path, database, log: elapsedLog() })
  const report = soakReport(conditions, load, outcome)
  console.log(soakTable(report))
  await Bun.write(`${RESULTS}/soak.json`, jsonText(report))
  return isHeld(report) ? EXIT.ok : EXIT.failed
}

if (import.meta.main) await runCommand('bench:soak', OPTIONS, main)
