// Processes in which comet runs itself again, a hundred of them for a million streams.

/** The commands of such processes; main.ts runs them. */
export type SubprocessName = 'serve-worker' | 'flood-worker'

/** The command line that starts this program again: the executable, or Bun with the source. */
export function subprocessCommand(name: SubprocessName): string[] {
  const program = Bun.isStandaloneExecutable ? [] : [Bun.main]
  return [process.execPath, ...program, name]
}

/**
 * Each has a session of its own (setsid(2)). Signals of the terminal go to the process that started
 * it, which then stops it. And where the kernel shares CPU time by session (sched(7), autogroup), a
 * hundred processes do not share what one gets: with a million streams p99 halved.
 */
export const SUBPROCESS_SESSION = { detached: true } as const

/** The descriptor of a worker's link: the first after standard input, output and error. */
export const LINK_DESCRIPTOR = 3

/**
 * Environment of such a process. Without the first, a thread of the memory allocator looks for
 * unused pages many times a second, which was 8 % of all CPU time with a million streams; every ten
 * seconds costs 1 % more memory. Without the second, another thread clears memory ahead of its use.
 *
 * The next two are about compilation. Each of fifty processes calls the same few functions only
 * some thousand times: it should compile them soon, and not again for the last few per cent. One
 * thread marks live objects, since there are more processes than cores already. Together with more
 * pending connections (`flood --pending`) these took 28 % off the CPU time of opening a million
 * streams. The last one has the heap, which is small, collected before it has doubled.
 */
export const SUBPROCESS_ENVIRONMENT = {
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
  BUN_JSC_jitPolicyScale: '0.2',
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_numberOfGCMarkers: '1',
  BUN_JSC_smallHeapGrowthFactor: '1.3',
} as const

/**
 * That of a worker of the server, which compiles later than others: what it runs a few times at its
 * start stays interpreted, and what it runs for each stream and message is compiled after some
 * hundred calls all the same. One of eight idle workers, proportional memory and CPU time of its
 * start: 12.0 MB and 0.29 s with the above alone, 9.1 MB and 0.14 s with Bun's own policy, 8.3 MB
 * and 0.14 s with these thresholds. Opening a stream and delivering to it took no more CPU time.
 */
export const WORKER_ENVIRONMENT = {
  ...SUBPROCESS_ENVIRONMENT,
  BUN_JSC_jitPolicyScale: '1',
  BUN_JSC_thresholdForJITAfterWarmUp: '5000',
  BUN_JSC_thresholdForJITSoon: '1000',
} as const
