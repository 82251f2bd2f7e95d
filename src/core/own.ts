// What comet gives to the processes that it starts itself, a hundred at a time. Server and flood
// start some, so it lies here.

/**
 * Each has a session of its own (setsid(2)). What is typed at the terminal is for the process that
 * started it, which ends it in its turn. And where the kernel shares processor time out by session
 * (sched(7), autogroup), a hundred processes are not one crowd that waits for everything else: with
 * a million streams the slowest hundredth of messages took half as long.
 */
export const OWN_SESSION = { detached: true } as const

/** Where a worker of the server finds its link: after standard input, output and error. */
export const LINK_DESCRIPTOR = 3

/**
 * Environment of such a process. Without the first, a thread of the memory allocator looks for holes
 * many times a second, which was 8 % of all processor time with a million streams; every ten seconds
 * costs 1 % more memory. Without the second, another thread clears memory ahead of its use.
 *
 * The others are about compiling. Each of fifty processes meets the same few functions some thousand
 * times only: it is to compile them soon, and not to compile them again for the last few per cent.
 * One thread marks what is alive, since there are more processes than cores already. Together with
 * more connections under way (`flood --pending`) they took 28 % off the processor time of opening a
 * million streams. The last one has the heap, which is small, collected before it has doubled.
 */
export const OWN_ENVIRONMENT = {
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
  BUN_JSC_jitPolicyScale: '0.2',
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_numberOfGCMarkers: '1',
  BUN_JSC_smallHeapGrowthFactor: '1.3',
} as const
