// What comet gives to the processes that it starts itself, a hundred at a time. Server and flood
// start some, so it lies here.

/** Where a worker of the server finds its link: after standard input, output and error. */
export const LINK_DESCRIPTOR = 3

/**
 * Environment of such a process. Without the first, a thread of the memory allocator looks for holes
 * many times a second, which was 8 % of all processor time with a million streams; every ten seconds
 * costs 1 % more memory. Without the second, another thread clears memory ahead of its use.
 *
 * The others are about compiling. Each of fifty processes meets the same few functions some thousand
 * times only: it is to compile them soon, and not to compile them again for the last few per cent.
 * One thread marks what is alive, since there are more processes than cores already. Together they
 * took 28 % off the processor time of opening a million streams.
 */
export const OWN_ENVIRONMENT = {
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
  BUN_JSC_jitPolicyScale: '0.2',
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_numberOfGCMarkers: '1',
} as const
