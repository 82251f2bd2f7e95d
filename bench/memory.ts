// Memory: what a silent stream costs a server on each of its wires, and comet flood. Anonymous
// memory is read while 1,500 streams are open and again while 15,000 are, each time once Bun has
// collected the garbage of opening them: a server whose streams have gone keeps garbage until more
// happens, so that one without streams may take more than one with a few.

import { makeCertificate } from '../scripts/support/certificate.ts'
import { makeFolder } from '../scripts/support/folder.ts'
import type { Case, FigureSpec } from './harness/case.ts'
import {
  openFlood,
  type Server,
  type ServerOptions,
  startServer,
  stopFlawless,
} from './harness/comet.ts'
import { programMemory } from './harness/proc.ts'
import { collected, settled } from './harness/wait.ts'
import { TlsStreams } from './tls-streams.ts'

const STREAMS = 15_000
/** So many that the server collects their garbage, as it does that of the others. */
const FEW_STREAMS = 1_500

type Wire = 'descriptor' | 'socket' | 'tls'
type Figure = `${Wire}Bytes` | 'clientBytes'

export const memory: Case<Figure> = {
  name: 'memory',
  figures: {
    descriptorBytes: figure('on descriptors', 250),
    socketBytes: figure('on sockets of Bun', 900),
    tlsBytes: figure('over TLS'),
    clientBytes: {
      title: `anonymous memory of flood a stream, ${STREAMS} open`,
      unit: 'bytes',
      digits: 0,
      target: { atMost: 400 },
    },
  },
  // Nothing is compiled or cached from one run to the next.
  warmsUp: false,
  open: async () => {
    if (process.platform !== 'linux') return { impossible: 'anonymous memory is read from /proc' }
    if (Bun.which('openssl') === null)
      return { impossible: 'there is no openssl for a certificate' }
    const folder = await makeFolder()
    const certificate = await makeCertificate(folder.path, 'bench')
    return {
      run: () => run(certificate),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

function figure(wire: string, atMost?: number): FigureSpec {
  return {
    title: `anonymous memory a silent stream ${wire}, ${STREAMS} open`,
    ...{ unit: 'bytes', digits: 0 },
    ...(atMost === undefined ? {} : { target: { atMost } }),
  }
}

interface Certificate {
  readonly cert: string
  readonly key: string
}

/** All servers side by side, since most of the time goes by with waiting for garbage collection. */
async function run({ cert, key }: Certificate): Promise<Record<Figure, number>> {
  const [descriptor, socket, tls] = await Promise.all([
    heldOn({}, openInTheClear),
    heldOn({ args: ['--wire', 'socket'] }, openInTheClear),
    heldOn({ args: ['--tls-cert', cert, '--tls-key', key] }, openOverTls),
  ])
  return {
    descriptorBytes: descriptor.bytes,
    socketBytes: socket.bytes,
    tlsBytes: tls.bytes,
    clientBytes: descriptor.clientBytes,
  }
}

/** Streams that are held; `close` throws unless each is still open, with its welcome alone. */
interface Held extends AsyncDisposable {
  readonly clientBytes: () => number
  close(): Promise<void>
}

type Open = (server: Server, streams: number) => Promise<Held>

/** What a stream costs a server with these options, and what it costs the client. */
async function heldOn(options: ServerOptions, open: Open) {
  await using server = await startServer(options)
  const few = await held(server, FEW_STREAMS, open)
  await server.streamsOpen(0)
  const many = await held(server, STREAMS, open)
  const more = STREAMS - FEW_STREAMS
  return {
    bytes: (many.bytes - few.bytes) / more,
    clientBytes: (many.clientBytes - few.clientBytes) / more,
  }
}

/** Memory of both ends while so many streams are held. */
async function held(server: Server, streams: number, open: Open) {
  await using opened = await open(server, streams)
  const [bytes, clientBytes] = await Promise.all([
    collectedMemory(server),
    collected(opened.clientBytes),
  ])
  await server.streamsOpen(streams)
  await opened.close()
  return { bytes, clientBytes }
}

async function openInTheClear(server: Server, streams: number): Promise<Held> {
  const flood = await openFlood(server, streams)
  return {
    clientBytes: () => programMemory(flood.program.pid).ownBytes,
    close: async () => {
      const { received } = await stopFlawless(flood)
      if (received.chunks === streams) return
      throw new Error(`${streams} welcomes were due, ${received.chunks} chunks came`)
    },
    [Symbol.asyncDispose]: () => flood[Symbol.asyncDispose](),
  }
}

async function openOverTls(server: Server, streams: number): Promise<Held> {
  const opened = new TlsStreams(server.publicUrl, streams)
  try {
    await opened.opened()
    await server.streamsOpen(streams)
  } catch (error) {
    opened[Symbol.dispose]()
    throw error
  }
  return {
    // It is this process, of which nothing is measured.
    clientBytes: () => 0,
    close: async () => {
      opened.check()
      opened[Symbol.dispose]()
    },
    [Symbol.asyncDispose]: async () => opened[Symbol.dispose](),
  }
}

function collectedMemory({ program }: Server): Promise<number> {
  return collected(() => programMemory(program.pid).ownBytes)
}

/** Resident memory once nothing moves. */
export function settledMemory(server: Server): Promise<number> {
  return settled(async () => (await server.stats()).process.residentBytes)
}
