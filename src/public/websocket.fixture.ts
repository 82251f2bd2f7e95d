// WebSocket as its other end has it, for tests: frames as clients write them, valid or not, a
// reader of those that is too simple to be wrong, and one of the frames of servers.

import type { ClientFrame } from './websocket-frames.ts'

export interface FrameParts {
  readonly opcode: number
  readonly payload?: string | Uint8Array
  readonly isFinal?: boolean
  /** Bits 4 to 6 of the first byte. */
  readonly reserved?: number
  /** Null for a frame that is not masked. */
  readonly mask?: readonly number[] | null
  /** Bytes that the length takes behind the first two, if not as few as can be. */
  readonly lengthBytes?: 0 | 2 | 8
  /** What the length says, if not the truth. */
  readonly length?: bigint
}

export const TEXT = 1
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** A frame of a client. */
export function clientFrame(parts: FrameParts): Buffer {
  const { opcode, payload = '', isFinal = true, reserved = 0, mask = [1, 2, 3, 4] } = parts
  const bytes = Buffer.from(payload)
  const length = parts.length ?? BigInt(bytes.length)
  const fewest = length < 126n ? 0 : length < 65_536n ? 2 : 8
  const { lengthBytes = fewest } = parts
  const masked = mask === null ? 0 : 0x80
  const head = [(isFinal ? 0x80 : 0) | reserved | opcode]
  head.push(masked | (lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127))
  for (let at = lengthBytes - 1; at >= 0; at--) head.push(Number((length >> BigInt(8 * at)) & 255n))
  const sent = bytes.map((byte, at) => byte ^ (mask?.[at % 4] ?? 0))
  return Buffer.concat([Uint8Array.from([...head, ...(mask ?? [])]), sent])
}

export function clientText(text: string): Buffer {
  return clientFrame({ opcode: TEXT, payload: text })
}

/** A close frame of a client. */
export function clientClose(code: number, reason = ''): Buffer {
  const payload = Buffer.concat([Uint8Array.of(code >> 8, code & 255), Buffer.from(reason)])
  return clientFrame({ opcode: CLOSE, payload })
}

/** Bytes of the longest message, as the limits say. */
const MESSAGE_BYTES_MAX = 16_384

/** What the frames of a client say, of all bytes at once. */
export function readNaively(wire: Uint8Array): ClientFrame[] {
  const found: ClientFrame[] = []
  let message: number[] | null = null
  let at = 0
  const invalid = (code: 1002 | 1003 | 1007 | 1009): ClientFrame[] => {
    found.push({ kind: 'invalid', code, reason: '' })
    return found
  }
  while (at + 2 <= wire.length) {
    const bits = (wire[at] ?? 0).toString(2).padStart(8, '0')
    const more = (wire[at + 1] ?? 0).toString(2).padStart(8, '0')
    const opcode = Number.parseInt(bits.slice(4), 2)
    if (bits.slice(1, 4) !== '000' || more[0] === '0') return invalid(1002)
    const isFinal = bits[0] === '1'
    const short = Number.parseInt(more.slice(1), 2)
    const isControl = opcode === CLOSE || opcode === PING || opcode === PONG
    if (!isControl && opcode > 2) return invalid(1002)
    if (isControl && (!isFinal || short > 125)) return invalid(1002)
    if (opcode === 0 && message === null) return invalid(1002)
    if ((opcode === 1 || opcode === 2) && message !== null) return invalid(1002)
    if (opcode === 2) return invalid(1003)
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
    if (at + 2 + lengthBytes > wire.length) break
    const hex = Buffer.from(wire.slice(at + 2, at + 2 + lengthBytes)).toString('hex')
    const length = lengthBytes === 0 ? BigInt(short) : BigInt(`0x${hex}`)
    if (length >= 2n ** 63n) return invalid(1002)
    if (!isControl && length + BigInt(message?.length ?? 0) > MESSAGE_BYTES_MAX)
      return invalid(1009)
    const maskAt = at + 2 + lengthBytes
    const end = maskAt + 4 + Number(length)
    if (end > wire.length) break
    const payload: number[] = []
    for (let place = maskAt + 4; place < end; place++) {
      payload.push((wire[place] ?? 0) ^ (wire[maskAt + ((place - maskAt) % 4)] ?? 0))
    }
    at = end
    if (opcode === PING) found.push({ kind: 'ping', payload: Uint8Array.from(payload) })
    else if (opcode === CLOSE) {
      if (!isClose(payload)) return invalid(1002)
      found.push({ kind: 'close', payload: Uint8Array.from(payload) })
      return found
    } else if (!isControl) {
      message = [...(message ?? []), ...payload]
      if (!isFinal) continue
      const text = textOf(message)
      if (text === null) return invalid(1007)
      found.push({ kind: 'text', text })
      message = null
    }
  }
  return found
}

const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]

function isClose([high, low, ...reason]: readonly number[]): boolean {
  if (high === undefined) return true
  if (low === undefined) return false
  const code = high * 256 + low
  return (CODES.includes(code) || (code >= 3000 && code <= 4999)) && textOf(reason) !== null
}

/** RFC 3629 section 4, a sequence at a time; null if one of them is none. */
function textOf(bytes: readonly number[]): string | null {
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0
    const count = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
    if (count < 0 || first > 0xf4) return null
    let point = count === 0 ? first : first & (0x3f >> count)
    for (let place = 1; place <= count; place++) {
      const next = bytes[at + place]
      if (next === undefined || next < 0x80 || next > 0xbf) return null
      point = point * 64 + (next - 0x80)
    }
    const isShorter = (count === 2 && point < 0x800) || (count === 3 && point < 0x10000)
    if (isShorter || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return null
    text += String.fromCodePoint(point)
    at += 1 + count
  }
  return text
}

/** A frame of a server. */
export interface ServerFrame {
  readonly opcode: number
  readonly payload: Buffer
}

/** The frames of a server that have come whole, and the bytes behind them. */
export function serverFramesIn(wire: Uint8Array): { frames: ServerFrame[]; rest: Uint8Array } {
  const bytes = Buffer.from(wire)
  const frames: ServerFrame[] = []
  let at = 0
  while (at + 2 <= bytes.length) {
    const [first = 0, second = 0] = bytes.subarray(at)
    if ((first & 0xf0) !== 0x80) throw new Error('a frame of a server is a fragment')
    if ((second & 0x80) !== 0) throw new Error('a frame of a server is masked')
    const lengthBytes = second === 126 ? 2 : second === 127 ? 8 : 0
    const start = at + 2 + lengthBytes
    if (start > bytes.length) break
    const length =
      lengthBytes === 0
        ? second
        : lengthBytes === 2
          ? bytes.readUInt16BE(at + 2)
          : Number(bytes.readBigUInt64BE(at + 2))
    if (length < (lengthBytes === 0 ? 0 : lengthBytes === 2 ? 126 : 65_536)) {
      throw new Error('a length of a server takes more bytes than it has to')
    }
    if (start + length > bytes.length) break
    frames.push({ opcode: first & 0x0f, payload: bytes.subarray(start, start + length) })
    at = start + length
  }
  return { frames, rest: bytes.subarray(at) }
}
