// TCP sockets between nodes and to epmd: connecting, listening, and passing an open socket from one
// owner to the next.

import { lookup } from 'node:dns/promises'
import { type Address, isLoopback } from '../core/address.ts'
import { settledWithin } from '../core/deadline.ts'
import { erlangLimits } from '../core/limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf, codeOrThrow } from '../core/system-error.ts'
import type { ErlangNodeName } from '../hub/settings.ts'

/** Receives the events of a socket. */
export interface SocketOwner {
  /** @param bytes are the owner's, not reused */
  data(bytes: Uint8Array): void
  /** The socket takes bytes again. */
  drained(): void
  /** Both directions are closed. */
  closed(): void
}

export interface SocketData {
  owner: SocketOwner
}

export type NodeSocket = Bun.Socket<SocketData>

/** For a socket without an owner, no longer or not yet. */
export const NO_OWNER: SocketOwner = {
  data: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
}

export const SOCKET_HANDLERS: Bun.SocketHandler<SocketData> = {
  // Plain bytes, since `slice` of a Buffer does not copy. The types lack this option of a socket.
  ...({ binaryType: 'uint8array' } as object),
  data: (socket, bytes) => socket.data.owner.data(bytes),
  drain: (socket) => socket.data.owner.drained(),
  close: (socket) => socket.data.owner.closed(),
  error: (_, error) => {
    // Network errors are followed by `close`. Bun also passes exceptions of the owner here.
    if (codeOf(error) === undefined) Promise.reject(error)
  },
}

/** Connects to the first address of a host that accepts, within a time limit for all of them. */
export async function connect(host: string, port: number): Promise<Result<NodeSocket>> {
  const connecting = connectToAny(host, port)
  const settled = await settledWithin(connecting, erlangLimits.answerMsMax)
  const result = settled ?? refused('no answer')
  // Closes a connection that is established too late.
  if (!result.ok) connecting.then((late) => late.ok && late.value.end())
  return result
}

async function connectToAny(host: string, port: number): Promise<Result<NodeSocket>> {
  let why = `the host ${host} has no address`
  for (const hostname of await addressesOf(host)) {
    try {
      const data: SocketData = { owner: NO_OWNER }
      return success(await Bun.connect({ hostname, port, data, socket: SOCKET_HANDLERS }))
    } catch (error) {
      why = reasonOf(error)
    }
  }
  return refused(why)
}

/** For `localhost` both loopback addresses, though a name server or hosts file may have only
 * one. */
async function addressesOf(host: string): Promise<string[]> {
  if (host === 'localhost') return ['127.0.0.1', '::1']
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    if (codeOf(error) !== undefined) return []
    throw error
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENETUNREACH: 'network unreachable',
  EHOSTUNREACH: 'host unreachable',
  ETIMEDOUT: 'no answer',
}

function reasonOf(error: unknown): string {
  const code = codeOrThrow(error)
  return REASONS[code] ?? `connecting failed (${code})`
}

/** The port that other nodes connect to. */
export interface NodePort {
  readonly number: number
  close(): void
}

/**
 * Listens for other nodes.
 *
 * @param address null for a free port at the host of the name: on loopback only if the host is
 *   loopback, else on every address
 */
export function listen(
  name: ErlangNodeName,
  address: Address | null,
  onOpen: (socket: NodeSocket) => void,
): Result<NodePort> {
  const socket: Bun.SocketHandler<SocketData> = {
    ...SOCKET_HANDLERS,
    open: (opened) => {
      opened.data = { owner: NO_OWNER }
      onOpen(opened)
    },
  }
  const listeners: Bun.TCPSocketListener<SocketData>[] = []
  let why = ''
  for (const hostname of address === null ? hostnamesFor(name) : [address.hostname]) {
    // All listeners use the port of the first one.
    const port = listeners[0]?.port ?? address?.port ?? 0
    try {
      listeners.push(Bun.listen({ hostname, port, socket, data: { owner: NO_OWNER } }))
    } catch (error) {
      const code = codeOrThrow(error)
      why ||= `${hostname}:${port} cannot be opened (${code})`
    }
    if (hostname === EVERY_ADDRESS && listeners.length > 0) break
  }
  const [first] = listeners
  if (first === undefined) return refused(why)
  const close = () => {
    for (const listener of listeners) listener.stop()
  }
  return success({ number: first.port, close })
}

/** Includes IPv4, unless the system is configured otherwise. */
const EVERY_ADDRESS = '::'

function hostnamesFor({ host }: ErlangNodeName): readonly string[] {
  if (host === 'localhost') return ['127.0.0.1', '::1']
  return isLoopback({ hostname: host, port: 0 }) ? [host] : [EVERY_ADDRESS, '0.0.0.0']
}
