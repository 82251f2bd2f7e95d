// The port where other nodes connect to this one: opened on the addresses that its name stands for.
// Who comes in it does not know.

import { type Address, isLoopback } from '../core/address.ts'
import type { NodeName } from './node-name.ts'
import { NOBODY, type Owned, type OwnedSocket, SOCKET_HANDLERS } from './socket.ts'

export interface Port {
  readonly number: number
  close(): void
}

/**
 * Opens the port, or says why it cannot be opened.
 *
 * @param address null for a free port where the host of the name is to be found: on loopback alone
 *   if that is where it points, else on every address
 */
export function openPort(
  name: NodeName,
  address: Address | null,
  onOpen: (socket: OwnedSocket) => void,
): Port | string {
  const socket: Bun.SocketHandler<Owned> = {
    ...SOCKET_HANDLERS,
    open: (opened) => {
      opened.data = { owner: NOBODY }
      onOpen(opened)
    },
  }
  const listeners: Bun.TCPSocketListener<Owned>[] = []
  let why = ''
  for (const hostname of address === null ? hostnamesFor(name) : [address.hostname]) {
    // The port of the first is the port of all.
    const port = listeners[0]?.port ?? address?.port ?? 0
    try {
      listeners.push(Bun.listen({ hostname, port, socket, data: { owner: NOBODY } }))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      why ||= `${hostname}:${port} cannot be opened (${error.code})`
    }
    // The address of every interface, of either family, is one.
    if (hostname === EVERY_ADDRESS && listeners.length > 0) break
  }
  const [first] = listeners
  if (first === undefined) return why
  return {
    number: first.port,
    close: () => {
      for (const listener of listeners) listener.stop()
    },
  }
}

/** IPv4 as well, where the system does not say otherwise. */
const EVERY_ADDRESS = '::'

function hostnamesFor({ host }: NodeName): readonly string[] {
  if (host === 'localhost') return ['127.0.0.1', '::1']
  return isLoopback({ hostname: host, port: 0 }) ? [host] : [EVERY_ADDRESS, '0.0.0.0']
}
