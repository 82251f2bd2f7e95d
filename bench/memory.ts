// Memory: the fewer bytes a silent stream costs, the more of them a machine holds. The server's
// resident memory is read before and after 15,000 streams are opened, each time once it has
// settled; the streams before the first reading warm the server up and are gone by then. The client's
// is that of a flood of 15,000 streams, less that of a flood of a few, without pages of the program.

import { type Case, nothingToClose } from './harness/case.ts'
import { type Comet, type Flood, startComet, startFlood } from './harness/comet.ts'
import { serverMemory } from './harness/memory.ts'
import { settled } from './harness/settled.ts'

const STREAMS = 15_000
const WARM_STREAMS = 100

export const memory: Case<'bytesPerStream' | 'clientBytesPerStream'> = {
  name: 'memory',
  figures: {
    bytesPerStream: {
      title: 'process memory a silent stream, 15,000 open',
      unit: 'bytes',
      digits: 0,
      target: { atMost: 4_300 },
    },
    clientBytesPerStream: {
      title: 'process memory of flood a stream, 15,000 open',
      unit: 'bytes',
      digits: 0,
      target: { atMost: 1_300 },
    },
  },
  open: async () => ({ run, ...nothingToClose }),
}

async function run() {
  await using comet = await startComet()
  const clientBefore = await fewStreams(comet)
  await comet.open(0)
  const before = await settledMemory(comet)
  await using flood = await startFlood(comet, STREAMS)
  const after = await settledMemory(comet)
  const clientAfter = await settled(() => clientBytes(flood))
  // Correct: every stream is a stream still, and each got its welcome and nothing else.
  await comet.open(STREAMS)
  const { received } = await flood.stop()
  if (received.chunks !== STREAMS) {
    throw new Error(`${STREAMS} welcomes were due, ${received.chunks} chunks came`)
  }
  return {
    bytesPerStream: (after - before) / STREAMS,
    clientBytesPerStream: (clientAfter - clientBefore) / (STREAMS - WARM_STREAMS),
  }
}

/** Warms the server up; answers what a flood takes with hardly any streams. */
async function fewStreams(comet: Comet): Promise<number> {
  await using flood = await startFlood(comet, WARM_STREAMS)
  const bytes = await settled(() => clientBytes(flood))
  await flood.stop()
  return bytes
}

/** Without the pages of the program, of which a flood of few streams has not touched as many. */
function clientBytes({ pid }: Flood): number {
  return serverMemory(pid).ownBytes
}

/** The resident memory once garbage has been collected and nothing moves. */
export function settledMemory(comet: Comet): Promise<number> {
  return settled(async () => (await comet.stats()).process.residentBytes)
}
