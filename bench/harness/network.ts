// A network namespace of the run's own (network_namespaces(7)), where the system allows one:
// settings that hold for the run alone, and no ports of other programs in the way.

import { readFileSync, writeFileSync } from 'node:fs'
import { withTimeout } from '../../src/core/deadline.ts'

/** Size of the table of connections of the next namespace. */
const TABLE_SETTING = '/proc/sys/net/ipv4/tcp_child_ehash_entries'

/** Milliseconds to try whether a namespace is possible. */
const TRY_MS_MAX = 20_000

/** Set in the process that runs in the namespace. */
const MARK = 'COMET_BENCH_NETWORK'

export function isInOwnNetwork(): boolean {
  return process.env[MARK] !== undefined
}

export interface NetworkOptions {
  /** Entries of its table of connections; two sockets a connection. */
  readonly tableEntries?: number
  /** Settings under /proc/sys/net, by their paths there. */
  readonly settings?: Readonly<Record<string, string>>
}

/**
 * Runs this command again in a network namespace of its own.
 *
 * @returns its exit code; null where that is not possible, or if this process is in one already
 */
export async function inOwnNetwork(
  args: readonly string[],
  { tableEntries, settings = {} }: NetworkOptions,
): Promise<number | null> {
  if (isInOwnNetwork() || !(await isPossible())) return null
  const before = readFileSync(TABLE_SETTING, 'utf8')
  if (tableEntries !== undefined) writeFileSync(TABLE_SETTING, String(tableEntries))
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
  process.on('exit', () => {
    child.kill()
    // Here, since a signal ends this process too.
    writeFileSync(TABLE_SETTING, before)
  })
  // It takes as long as the run, each of whose waits has a limit.
  return await child.exited
}

async function isPossible(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const trying = Bun.$`unshare --net sh -c ${'ip link set lo up'}`.nothrow().quiet()
  const { exitCode } = await withTimeout('a network namespace', trying, TRY_MS_MAX)
  return exitCode === 0 && (await Bun.file(TABLE_SETTING).exists())
}
