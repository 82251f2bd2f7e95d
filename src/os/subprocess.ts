// How comet starts itself again as one of its own processes, a hundred at a time for a million streams.

/** The commands of such processes; main.ts runs them. */
export type SubprocessName = 'serve-worker' | 'flood-worker'

/** How to start this program again: compiled it is itself, from source it is Bun with a file. */
export function subprocessCommand(name: SubprocessName): string[] {
  const program = Bun.isStandaloneExecutable ? [] : [Bun.main]
  return [process.execPath, ...program, name]
}

/**
 * Each has a session of its own (setsid(2)). What is typed at the terminal is for the process that
 * started it, which stops it in its turn. And where the kernel shares CPU time out by session
 * (sched(7), autogroup), a hundred processes are not one crowd that waits for everything else: with
 * a million streams the slowest hundredth of messages took half as long.
 */
export const SUBPROCESS_SESSION = { detached: true } as const

/** Where a worker of the server finds its link: after standard input, output and error. */
export const LINK_DESCRIPTOR = 3

/**
 * Environment of such a process. Without the first, a thread of the memory allocator looks for holes
 * many times a second, which was 8 % of all CPU time with a million streams; every ten seconds costs
 * 1 % more memory. Without the second, another thread clears memory ahead of its use.
 *
 * The others are about compiling. Each of fifty processes calls the same few functions some thousand
 * times only: it should compile them soon, and not compile them again for the last few per cent.
 * One thread marks live objects, since there are more processes than cores already. Together with
 * more connections under way (`flood --pending`) they took 28 % off the CPU time of opening a
 * million streams. The last one has the heap, which is small, collected before it has doubled.
 */
export const SUBPROCESS_ENVIRONMENT = {
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
  BUN_JSC_jitPolicyScale: '0.2',
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_numberOfGCMarkers: '1',
  BUN_JSC_smallHeapGrowthFactor: '1.3',
} as const
