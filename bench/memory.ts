// Memory: the fewer bytes a silent stream costs, the more of them a machine holds. The server's
// resident memory is read before and after 15,000 streams are opened, each time once it has
// settled; the streams before the first reading warm the server up and are gone by then.

import { type Case, nothingToClose } from './case.ts'
import { type Comet, startComet, startFlood } from './comet.ts'
import { settled } from './settled.ts'

const STREAMS = 15_000
const WARM_STREAMS = 100

export const memory: Case<'bytesPerStream'> = {
  name: 'memory',
  figures: {
    bytesPerStream: {
      title: 'process memory a silent stream, 15,000 open',
      unit: 'bytes',
      digits: 0,
      target: { atMost: 4_300 },
    },
  },
  open: async () => ({ run, ...nothingToClose }),
}

async function run() {
  await using comet = await startComet()
  {
    await using flood = await startFlood(comet, WARM_STREAMS)
    await flood.stop()
  }
  await comet.open(0)
  const before = await settledMemory(comet)
  await using flood = await startFlood(comet, STREAMS)
  const after = await settledMemory(comet)
  // Correct: every stream is a stream still, and each got its welcome and nothing else.
  await comet.open(STREAMS)
  const { received } = await flood.stop()
  if (received.chunks !== STREAMS) {
    throw new Error(`${STREAMS} welcomes were due, ${received.chunks} chunks came`)
  }
  return { bytesPerStream: (after - before) / STREAMS }
}

/** The resident memory once garbage has been collected and nothing moves. */
export function settledMemory(comet: Comet): Promise<number> {
  return settled(async () => (await comet.stats()).process.residentBytes)
}
