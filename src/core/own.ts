// What comet tells the JavaScript engine of the processes that it starts itself, a hundred at a time.
// Both ends of the project start some, so it lies here.

/**
 * Environment of such a process. Without the first, a thread of the memory allocator looks for holes
 * many times a second, which was 8 % of all processor time with a million streams; every ten seconds
 * costs 1 % more memory. Without the second, another thread clears memory ahead of its use.
 */
export const OWN_ENVIRONMENT = {
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000',
  BUN_JSC_useWarmUpMarkedBlocks: '0',
} as const
