// What the Erlang port mapper daemon, epmd, is asked and answers: at which port a node listens, and
// that this one listens somewhere ("EPMD Protocol", ERTS User's Guide).

import { erlangLimits } from '../core/limits.ts'
import type { NodeName } from './node-name.ts'
import { dial, NOBODY, type OwnedSocket } from './socket.ts'

const ALIVE2_REQ = 120
const ALIVE2_X_RESP = 118
const ALIVE2_RESP = 121
const PORT_PLEASE2_REQ = 122
const PORT2_RESP = 119

/** Hidden, as the nodes are that are not written in Erlang. */
const NODE_TYPE_HIDDEN = 72
const PROTOCOL_TCP = 0
/** The version of Erlang/OTP 23 and later; comet has no other. */
const VERSION = 6
/** Without which the port mapper would not tell older ones of this node, so that they say why. */
const VERSION_LOWEST = 5

/** What is read of an answer: what it is, whether it is one, and a port or a part of a number. */
const ANSWER_BYTES = 4

/** Why a node is not registered that another one of its name is before. */
export const NAME_TAKEN = 'a node of that name is registered already'

const NO_ANSWER = 'its answer is none'
const CUT_OFF = 'its answer is cut off'

/** Where a node listens, or why that is not known. */
export type Found = { readonly port: number } | { readonly why: string }

/** Asks the port mapper of a node's host where the node listens. */
export async function findPort({ alive, host }: NodeName, mapperPort: number): Promise<Found> {
  const dialled = await dial(host, mapperPort)
  if ('why' in dialled) return { why: mapperFails(dialled.why) }
  const { socket } = dialled
  const answer = await ask(socket, portPlease(alive))
  socket.data.owner = NOBODY
  socket.end()
  return decodePort(answer)
}

function portPlease(alive: string): Buffer {
  return request(Buffer.concat([Uint8Array.of(PORT_PLEASE2_REQ), Buffer.from(alive, 'latin1')]))
}

export function decodePort(answer: Uint8Array): Found {
  const [kind, result] = answer
  if (kind !== PORT2_RESP) return { why: mapperFails(NO_ANSWER) }
  if (isCutOff(answer)) return { why: mapperFails(CUT_OFF) }
  if (result !== 0) return { why: 'no node of that name is registered on its host' }
  return { port: Buffer.from(answer).readUInt16BE(2) }
}

/** A registration, good for as long as its connection is open; or why there is none. */
export type Registered = { readonly socket: OwnedSocket } | { readonly why: string }

/** Tells the port mapper of this host where this node listens. */
export async function register(
  alive: string,
  port: number,
  mapperPort: number,
): Promise<Registered> {
  const dialled = await dial('localhost', mapperPort)
  if ('why' in dialled) return { why: mapperFails(dialled.why) }
  const { socket } = dialled
  const answer = await ask(socket, encodeAlive(alive, port))
  const why = whyNotRegistered(answer)
  socket.data.owner = NOBODY
  if (why === null) return { socket }
  socket.end()
  return { why }
}

export function encodeAlive(alive: string, port: number): Buffer {
  const name = Buffer.from(alive, 'latin1')
  const bytes = Buffer.alloc(13 + name.length)
  bytes.writeUInt8(ALIVE2_REQ, 0)
  bytes.writeUInt16BE(port, 1)
  bytes.writeUInt8(NODE_TYPE_HIDDEN, 3)
  bytes.writeUInt8(PROTOCOL_TCP, 4)
  bytes.writeUInt16BE(VERSION, 5)
  bytes.writeUInt16BE(VERSION_LOWEST, 7)
  bytes.writeUInt16BE(name.length, 9)
  bytes.set(name, 11)
  // No bytes of its own behind the name.
  return request(bytes)
}

/** Null if the answer says that the node is registered. */
export function whyNotRegistered(answer: Uint8Array): string | null {
  const [kind, result] = answer
  if (kind !== ALIVE2_X_RESP && kind !== ALIVE2_RESP) return mapperFails(NO_ANSWER)
  if (isCutOff(answer)) return mapperFails(CUT_OFF)
  return result === 0 ? null : NAME_TAKEN
}

/** A refusal is whole with its second byte, which says so. */
function isCutOff(answer: Uint8Array): boolean {
  return answer.length < ANSWER_BYTES && !isRefusal(answer)
}

function isRefusal([, result]: Uint8Array): boolean {
  return result !== undefined && result !== 0
}

/** Each request has its length before it. */
function request(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Sends a request and gathers the answer until there is enough of it, or no more comes in time. */
function ask(socket: OwnedSocket, bytes: Uint8Array): Promise<Uint8Array> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array>()
  let answer: Uint8Array = new Uint8Array(0)
  const timer = setTimeout(() => resolve(answer), erlangLimits.answerMsMax)
  socket.data.owner = {
    data: (part) => {
      answer = Buffer.concat([answer, part])
      if (!isCutOff(answer)) resolve(answer)
    },
    drained: () => undefined,
    closed: () => resolve(answer),
  }
  socket.write(bytes)
  return promise.finally(() => clearTimeout(timer))
}

function mapperFails(why: string): string {
  return `the port mapper (epmd) of its host cannot be asked: ${why}`
}
