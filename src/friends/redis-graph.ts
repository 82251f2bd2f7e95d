// Who follows whom in the Redis that nodes share: how a file is added to it, and how it
// is written to a file.

import { randomBytes, randomInt } from 'node:crypto'
import { announceFollows, readFollows, writeFollows } from '../bus/follow-sets.ts'
import { RedisConnection } from '../bus/redis-connection.ts'
import { ORIGIN_BYTES } from '../bus/stream-entry.ts'
import { EXIT } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { type RedisValues, readRedis } from '../cli/redis-options.ts'
import { redisLimits } from '../core/bus-limits.ts'
import { systemClock } from '../core/clock.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { Loaded } from '../subscriptions/bulk-load.ts'
import { FollowLists } from '../subscriptions/follow-lists.ts'
import { type LoadOptions, type NotLoaded, readFriends } from '../subscriptions/friends-file.ts'
import { isHandle, NameTable } from '../subscriptions/name-table.ts'
import type { PairLists } from '../subscriptions/pair-index.ts'
import { type WriteBytes, writePairs } from './edge-list.ts'

/** Pairs between two reports of progress. */
const PAIRS_PER_REPORT = 100_000
/** Users whose subjects are sorted and written at once, and between which others have a turn. */
const USERS_AT_ONCE = 1_000

/** The sets of one cluster. */
export interface RedisGraph {
  readonly connection: RedisConnection
  /** What the names of their keys begin with. */
  readonly prefix: string
}

/** Connects for a command, and closes the connection after the work; returns the exit code. */
export async function withRedis(
  values: RedisValues,
  io: Io,
  name: string,
  work: (graph: RedisGraph) => Promise<number>,
): Promise<number> {
  const fail = (why: string) => {
    io.stderr(`comet friends ${name}: ${why}`)
    return EXIT.unavailable
  }
  const { bus } = values
  if (bus === null) throw new Error('there is no Redis without --bus')
  const read = readRedis(bus, values)
  if (!read.ok) return fail(read.why)
  const { address, warnings } = read.value
  for (const warning of warnings) io.stderr(`comet friends ${name}: ${warning}`)
  const opened = await RedisConnection.open({ address, clock: systemClock, limits: redisLimits })
  if (!opened.ok) return fail(opened.why)
  try {
    return await work({ connection: opened.value, prefix: values['bus-prefix'] })
  } finally {
    opened.value.close('The command is done.')
  }
}

/**
 * Adds all pairs of the input and tells the nodes to read the subscriptions again. Adds nothing if
 * `readFriends` refuses the input. If Redis fails or this process ends, a part may be added that
 * nodes read only at their next start; repeat the load.
 */
export async function loadIntoRedis(
  { connection, prefix }: RedisGraph,
  input: AsyncIterable<Uint8Array>,
  options: LoadOptions,
): Promise<Result<Loaded, NotLoaded>> {
  const read = await readFriends(input, options)
  if (!read.ok) return read
  const { pairs, lines, repeated } = read.value
  const { names, onProgress } = options
  const total = pairs.length / 2
  let reported = 0
  const written = await writeFollows(connection, prefix, {
    pairs,
    textOf: (id) => (isHandle(id) && names ? names.nameOf(id) : String(id)),
    onProgress(done) {
      if (done < reported + PAIRS_PER_REPORT && done < total) return
      reported = done
      onProgress?.({ phase: 'writing', done, total })
    },
  })
  // Also after a partial load, so that the nodes read it now and not at their next start.
  const told = await announceFollows(connection, prefix, randomBytes(ORIGIN_BYTES).toString('hex'))
  const outcome = written.ok ? told : written
  if (!outcome.ok) {
    return refused({ reason: outcome.why.text, bad: [], badCount: 0, isPartly: true })
  }
  const added = written.ok ? written.value : 0
  return success({ lines, added, repeated, present: total - added })
}

/**
 * Reads all pairs; a concurrent change may be among them or not.
 *
 * @returns what writes them in order of subscriber, then subject, numbers before names
 */
export async function readFromRedis({
  connection,
  prefix,
}: RedisGraph): Promise<Result<(write: WriteBytes) => Promise<void>>> {
  const names = new NameTable({ seed: randomInt(2 ** 32) })
  const lists = new FollowLists(names)
  const read = await readFollows(connection, prefix, (user, subjects) => lists.add(user, subjects))
  if (!read.ok) return refused(read.why.text)
  const sorted = await lists.sorted()
  return success((write) => writeLists(sorted, names, write))
}

async function writeLists(
  { keys, starts, values }: PairLists,
  names: NameTable,
  write: WriteBytes,
): Promise<void> {
  for (let from = 0; from < keys.length; from += USERS_AT_ONCE) {
    const to = Math.min(keys.length, from + USERS_AT_ONCE)
    const pairs = new Uint32Array(2 * ((starts[to] as number) - (starts[from] as number)))
    let end = 0
    for (let at = from; at < to; at++) {
      const subjects = values.subarray(starts[at], starts[at + 1]).sort()
      for (const subject of subjects) {
        pairs[end++] = keys[at] as number
        pairs[end++] = subject
      }
    }
    await writePairs(pairs, write, names)
  }
}
