// The client of epmd, the Erlang Port Mapper Daemon (ERTS User's Guide, "EPMD Protocol"): finds the
// port of a node, and keeps this node registered.

import type { Clock } from '../core/clock.ts'
import { erlangLimits } from '../core/limits.ts'
import type { Log } from '../core/log.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { Retry } from '../core/retry.ts'
import type { ErlangNodeName } from '../hub/settings.ts'
import { connect, NO_OWNER, type NodeSocket } from './socket.ts'

const ALIVE2_REQ = 120
const ALIVE2_X_RESP = 118
const ALIVE2_RESP = 121
const PORT_PLEASE2_REQ = 122
const PORT2_RESP = 119

/** As other nodes that are not written in Erlang. */
const NODE_TYPE_HIDDEN = 72
const PROTOCOL_TCP = 0
/** The distribution version of Erlang/OTP 23 and later, the only one that comet speaks. */
const VERSION_HIGHEST = 6
/** With 6, epmd would hide this node from older ones, which then could not tell what is wrong. */
const VERSION_LOWEST = 5

/** The part of a response that is read: its type, the result, and a port or part of a creation. */
const RESPONSE_BYTES = 4

export const NAME_TAKEN = 'the name is already registered at epmd'

/** Asks epmd on the node's host for the node's port. */
export async function findPort(
  { alive, host }: ErlangNodeName,
  epmdPort: number,
): Promise<Result<number>> {
  const connected = await connect(host, epmdPort)
  if (!connected.ok) return refused(unavailable(connected.why))
  const socket = connected.value
  const name = Buffer.from(alive, 'latin1')
  const response = await query(socket, frame(Uint8Array.of(PORT_PLEASE2_REQ), name))
  socket.data.owner = NO_OWNER
  socket.end()
  return decodePort(response)
}

export function decodePort(response: Uint8Array): Result<number> {
  const [type, result] = response
  if (type !== PORT2_RESP) return refused(unavailable('invalid response'))
  if (!isComplete(response)) return refused(unavailable('truncated response'))
  if (result !== 0) return refused('the node is not registered at epmd')
  return success(Buffer.from(response).readUInt16BE(2))
}

/** Registers this node at epmd on this host. It stays registered while the socket is open. */
export async function register(
  alive: string,
  port: number,
  epmdPort: number,
): Promise<Result<NodeSocket>> {
  const connected = await connect('localhost', epmdPort)
  if (!connected.ok) return refused(unavailable(connected.why))
  const socket = connected.value
  const registered = decodeRegistration(await query(socket, encodeAlive(alive, port)))
  socket.data.owner = NO_OWNER
  if (registered.ok) return connected
  socket.end()
  return registered
}

export function encodeAlive(alive: string, port: number): Buffer {
  const name = Buffer.from(alive, 'latin1')
  const head = Buffer.alloc(11)
  head.writeUInt8(ALIVE2_REQ, 0)
  head.writeUInt16BE(port, 1)
  head.writeUInt8(NODE_TYPE_HIDDEN, 3)
  head.writeUInt8(PROTOCOL_TCP, 4)
  head.writeUInt16BE(VERSION_HIGHEST, 5)
  head.writeUInt16BE(VERSION_LOWEST, 7)
  head.writeUInt16BE(name.length, 9)
  // No extra field: two bytes of length 0.
  return frame(head, name, Buffer.alloc(2))
}

export function decodeRegistration(response: Uint8Array): Result<void> {
  const [type, result] = response
  if (type !== ALIVE2_X_RESP && type !== ALIVE2_RESP) {
    return refused(unavailable('invalid response'))
  }
  if (!isComplete(response)) return refused(unavailable('truncated response'))
  return result === 0 ? OK : refused(NAME_TAKEN)
}

/** An error response is complete with its second byte. */
function isComplete(response: Uint8Array): boolean {
  const [, result = 0] = response
  return response.length >= RESPONSE_BYTES || result !== 0
}

/** Prepends the length. */
function frame(...parts: readonly Uint8Array[]): Buffer {
  const request = Buffer.concat([Buffer.alloc(2), ...parts])
  request.writeUInt16BE(request.length - 2)
  return request
}

/** Sends a request and collects the response until it is complete, the socket closes or time
 * is up. */
function query(socket: NodeSocket, request: Uint8Array): Promise<Uint8Array> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  let response: Uint8Array = new Uint8Array(0)
  const timer = setTimeout(() => resolve(response), erlangLimits.answerMsMax)
  socket.data.owner = {
    data: (part) => {
      response = Buffer.concat([response, part])
      if (isComplete(response)) resolve(response)
    },
    drained: () => undefined,
    closed: () => resolve(response),
  }
  socket.write(request)
  return promise.finally(() => clearTimeout(timer))
}

function unavailable(why: string): string {
  return `epmd is not available: ${why}`
}

export interface RegistrationOptions {
  readonly alive: string
  readonly port: number
  readonly epmdPort: number
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warn'>
}

/** Keeps this node registered: retries with growing delay, also after epmd was restarted. */
export class Registration {
  readonly #options: RegistrationOptions
  readonly #retry = new Retry(() => this.start(), erlangLimits.retry)
  /** The node is registered while this is open. */
  #socket: NodeSocket | null = null
  /** The failure that was logged last. */
  #logged: string | null = null

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  get isRegistered(): boolean {
    return this.#socket !== null
  }

  /** Whether another node has the name. */
  get isNameTaken(): boolean {
    return this.#logged === NAME_TAKEN
  }

  async start(): Promise<void> {
    const { alive, port, epmdPort, clock, log } = this.#options
    const registered = await register(alive, port, epmdPort)
    if (!registered.ok) return this.#failed(registered.why, 0)
    const socket = registered.value
    if (this.#retry.isStopped) {
      socket.end()
      return
    }
    const sinceMs = clock.elapsedMs()
    this.#socket = socket
    socket.data.owner = {
      ...NO_OWNER,
      closed: () => {
        this.#socket = null
        this.#failed('epmd closed the connection', clock.elapsedMs() - sinceMs)
      },
    }
    this.#logged = null
    log.info('erlang_registered', `Registered ${alive} at epmd with port ${port}.`, { port })
  }

  stop(): void {
    this.#retry.stop()
    this.#socket?.end()
  }

  #failed(why: string, lifetimeMs: number): void {
    if (this.#retry.isStopped) return
    this.#retry.later(lifetimeMs)
    if (this.#logged === why) return
    this.#logged = why
    const { alive, log } = this.#options
    log.warn('erlang_unregistered', `${alive} is not registered at epmd: ${why}; retrying.`)
  }
}
