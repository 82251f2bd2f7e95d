// A network of the run's own (network_namespaces(7)), where the system lets it have one: with a
// table of connections that two million of them fit, as the boot parameter `thash_entries` gives a
// machine that is meant for it, and with nobody else's ports in the way.

import { readFileSync, writeFileSync } from 'node:fs'
import { withTimeout } from '../../src/core/deadline.ts'

const SETTING = '/proc/sys/net/ipv4/tcp_child_ehash_entries'

/** Milliseconds to try whether a network can be had. */
const TRY_MS_MAX = 20_000

/** Places in the table, each eight bytes; two sockets a connection. */
const PLACES = 4_194_304

/** Set for the process that is in the network already. */
const MARK = 'COMET_BENCH_NETWORK'

/** Is this process in a network of its own? */
export function isInOwnNetwork(): boolean {
  return process.env[MARK] !== undefined
}

/** How the network of a run differs from the one that the machine gives it. */
export interface NetworkWish {
  /** Places in its table of connections. */
  readonly places?: number
  /** Settings of it under /proc/sys/net, by their paths there. */
  readonly settings?: Readonly<Record<string, string>>
}

/** What a million streams want. */
const FOR_A_MILLION: NetworkWish = { places: PLACES }

/**
 * Runs this command again in a network of its own.
 *
 * @returns its exit code; null where that is not to be had, or this is the process within
 */
export async function inOwnNetwork(
  args: readonly string[],
  { places, settings = {} }: NetworkWish = FOR_A_MILLION,
): Promise<number | null> {
  if (isInOwnNetwork() || !(await isPossible())) return null
  const before = readFileSync(SETTING, 'utf8')
  if (places !== undefined) writeFileSync(SETTING, String(places))
  const set = Object.entries(settings).map(([path, value]) => {
    return `echo ${value} > /proc/sys/net/${path}`
  })
  const script = ['ip link set lo up', ...set, 'exec "$0" "$@"'].join(' && ')
  const command = ['unshare', '--net', 'sh', '-c', script, process.execPath, Bun.main, ...args]
  const child = Bun.spawn(command, {
    stdio: ['inherit', 'inherit', 'inherit'],
    env: { ...process.env, [MARK]: 'own' },
  })
  const onSignal = (signal: NodeJS.Signals) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal)
  process.on('exit', () => child.kill())
  // As long as the run takes, of which every wait has an end of its own.
  const code = await child.exited
  writeFileSync(SETTING, before)
  return code
}

async function isPossible(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const trying = Bun.$`unshare --net sh -c ${'ip link set lo up'}`.nothrow().quiet()
  const tried = await withTimeout('a network of our own', trying, TRY_MS_MAX)
  return tried.exitCode === 0 && (await Bun.file(SETTING).exists())
}
