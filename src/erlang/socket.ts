// Connections to others and from them, before anybody knows what they are for: who owns a socket can
// change while it is open. It knows no protocol.

import { lookup } from 'node:dns/promises'
import { erlangLimits } from '../core/limits.ts'

/** Who is told what happens on a socket. */
export interface SocketOwner {
  /** Bytes came; they are the owner's. */
  data(bytes: Uint8Array): void
  /** What could not be written may be tried again. */
  drained(): void
  /** Both directions are over. */
  closed(): void
}

/** A socket's data: its owner of now. */
export interface Owned {
  owner: SocketOwner
}

export type OwnedSocket = Bun.Socket<Owned>

/** For a socket whose owner is gone, or not there yet. */
export const NOBODY: SocketOwner = {
  data: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
}

/** The same for all sockets, whichever side has opened them. */
export const SOCKET_HANDLERS: Bun.SocketHandler<Owned> = {
  // Plain bytes: a Buffer's `slice` would be no copy. The types know of no such choice here.
  ...({ binaryType: 'uint8array' } as object),
  data: (socket, bytes) => socket.data.owner.data(bytes),
  drain: (socket) => socket.data.owner.drained(),
  close: (socket) => socket.data.owner.closed(),
  error: (_, error) => {
    // What fails on the network is told by `close`, which follows; Bun brings bugs of owners here too.
    if (!('code' in error)) Promise.reject(error)
  },
}

/** A connection, or why there is none. */
export type Dialled = { readonly socket: OwnedSocket } | { readonly why: string }

/** Connects to the first address of a host that takes it, the whole in bounded time. */
export async function dial(host: string, port: number): Promise<Dialled> {
  const timeout = Promise.withResolvers<Dialled>()
  const timer = setTimeout(
    () => timeout.resolve({ why: 'it does not answer' }),
    erlangLimits.answerMsMax,
  )
  const dialled = dialEach(host, port)
  const result = await Promise.race([dialled, timeout.promise])
  clearTimeout(timer)
  // One that comes too late is nobody's.
  if (!('socket' in result)) dialled.then((late) => 'socket' in late && late.socket.end())
  return result
}

async function dialEach(host: string, port: number): Promise<Dialled> {
  const addresses = await addressesOf(host)
  let why = `the host ${host} has no address`
  for (const hostname of addresses) {
    try {
      const data: Owned = { owner: NOBODY }
      return { socket: await Bun.connect({ hostname, port, data, socket: SOCKET_HANDLERS }) }
    } catch (error) {
      why = whyNot(error)
    }
  }
  return { why }
}

/** `localhost` is both, though a name server or a hosts file may know only one. */
async function addressesOf(host: string): Promise<string[]> {
  if (host === 'localhost') return ['127.0.0.1', '::1']
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    if (error instanceof Error && 'code' in error) return []
    throw error
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENETUNREACH: 'its network cannot be reached',
  EHOSTUNREACH: 'its host cannot be reached',
  ETIMEDOUT: 'it does not answer',
}

function whyNot(error: unknown): string {
  if (!(error instanceof Error && 'code' in error)) throw error
  return REASONS[String(error.code)] ?? `connecting failed with ${error.code}`
}
