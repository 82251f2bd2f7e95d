// Memory: what a silent stream costs. The server's resident memory is read before and after 15,000
// streams are opened, each time once it has settled; 100 streams have come and gone before. The
// client's is that of a flood of 15,000 streams, less that of a flood of 100.

import { type Case, nothingToClose } from './harness/case.ts'
import { type Flood, openFlood, type Server, startServer, stopFlawless } from './harness/comet.ts'
import { programMemory } from './harness/proc.ts'
import { settled } from './harness/wait.ts'

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
  await using server = await startServer()
  const clientBefore = await fewStreams(server)
  await server.streamsOpen(0)
  const before = await settledMemory(server)
  await using flood = await openFlood(server, STREAMS)
  const after = await settledMemory(server)
  const clientAfter = await settled(() => clientBytes(flood))
  // Every stream is still open, and got its welcome and nothing else.
  await server.streamsOpen(STREAMS)
  const { received } = await stopFlawless(flood)
  if (received.chunks !== STREAMS) {
    throw new Error(`${STREAMS} welcomes were due, ${received.chunks} chunks came`)
  }
  return {
    bytesPerStream: (after - before) / STREAMS,
    clientBytesPerStream: (clientAfter - clientBefore) / (STREAMS - WARM_STREAMS),
  }
}

/** Warms the server up; returns what a flood with few streams takes. */
async function fewStreams(server: Server): Promise<number> {
  await using flood = await openFlood(server, WARM_STREAMS)
  const bytes = await settled(() => clientBytes(flood))
  await stopFlawless(flood)
  return bytes
}

/** Without pages of the executable, of which a flood of few streams touches fewer. */
function clientBytes({ program }: Flood): number {
  return programMemory(program.pid).ownBytes
}

/** Resident memory once garbage has been collected and nothing moves. */
export function settledMemory(server: Server): Promise<number> {
  return settled(async () => (await server.stats()).process.residentBytes)
}
