// What comet gives to the processes that it starts itself, a hundred at a time. Server and flood
// start some, so it lies here.

/** Where a worker of the server finds its link: after standard input, output and error. */
export const LINK_DESCRIPTOR = 3

/**
 * Environment of such a process. Without the first, a thread of the memory allocator looks for holes
 * many times a second, which was 8 % of all processor time with a million streams; every ten seconds
 * costs 1 % more memory. Without the second, another thread clears memory ahead of its use.
 */
export const OWN_ENVIRONMENT = {
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
} as const
