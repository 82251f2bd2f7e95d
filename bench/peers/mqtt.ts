// MQTT 3.1.1 as far as this bench needs it: a subscriber of one topic with QoS 0, and a publisher
// with QoS 1, whose acknowledgement stands for the answer to a request.

import { type ProtocolFault, type ProtocolListener, ProtocolReader, uint16 } from './protocol.ts'

/** Types of packets, in the upper half of the first byte (section 2.2.1). */
const CONNECT = 0x10
const CONNACK = 0x20
const PUBLISH = 0x30
const PUBACK = 0x40
const SUBSCRIBE = 0x82
const SUBACK = 0x90
const QOS_1 = 0x02

const encoder = new TextEncoder()

function text(value: string): Uint8Array {
  const bytes = encoder.encode(value)
  return new Uint8Array([bytes.length >> 8, bytes.length & 0xff, ...bytes])
}

function packet(first: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = [first]
  for (let rest = length; ; ) {
    const digit = rest & 0x7f
    rest >>= 7
    head.push(rest > 0 ? digit | 0x80 : digit)
    if (rest === 0) break
  }
  const bytes = new Uint8Array(head.length + length)
  bytes.set(head)
  let at = head.length
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** The contents of a packet are the bytes from `start` to `end`. */
interface Packet {
  /** Its first byte. */
  readonly first: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

/** The packet that begins at `start`; null while it is incomplete. */
function packetAt(bytes: Uint8Array, start: number): Packet | null {
  let length = 0
  for (let at = start + 1, shift = 0; at < bytes.length && shift < 28; at++, shift += 7) {
    const digit = bytes[at] as number
    length |= (digit & 0x7f) << shift
    if ((digit & 0x80) !== 0) continue
    const end = at + 1 + length
    return end <= bytes.length ? { first: bytes[start] as number, bytes, start: at + 1, end } : null
  }
  return null
}

abstract class MqttReader extends ProtocolReader {
  readonly #clientId: string

  constructor(clientId: string) {
    super()
    this.#clientId = clientId
  }

  /** With a clean session, and without a keepalive: a silent client is a stream. */
  greeting(): Uint8Array {
    return packet(CONNECT, text('MQTT'), new Uint8Array([4, 0x02, 0, 0]), text(this.#clientId))
  }

  protected abstract onPacket(received: Packet, to: ProtocolListener): ProtocolFault | null

  protected take(bytes: Uint8Array, start: number, to: ProtocolListener): number | ProtocolFault {
    const received = packetAt(bytes, start)
    if (received === null) return 0
    return this.onPacket(received, to) ?? received.end - start
  }
}

/** A connection that subscribes to one topic. */
export class MqttSubscriber extends MqttReader {
  readonly #topic: string

  constructor(topic: string) {
    super(`s${topic}`)
    this.#topic = topic
  }

  protected onPacket(received: Packet, to: ProtocolListener): ProtocolFault | null {
    const { first, bytes, start, end } = received
    switch (first & 0xf0) {
      case CONNACK:
        if (bytes[start + 1] !== 0) return 'refused'
        to.onReply(packet(SUBSCRIBE, new Uint8Array([0, 1]), text(this.#topic), QOS_0))
        return null
      case SUBACK:
        if (bytes[start + 2] !== 0) return 'not_subscribed'
        to.onOpen()
        return null
      case PUBLISH:
        to.onMessage(bytes, start + 2 + uint16(bytes, start), end)
        return null
      default:
        return 'bad_packet'
    }
  }
}

const QOS_0 = new Uint8Array([0])

/** A connection that publishes; each message is acknowledged before the next is sent. */
export class MqttPublisher extends MqttReader {
  #packetId = 0

  message(topic: string, body: string): Uint8Array {
    this.#packetId = (this.#packetId % 0xffff) + 1
    const id = new Uint8Array([this.#packetId >> 8, this.#packetId & 0xff])
    return packet(PUBLISH | QOS_1, text(topic), id, encoder.encode(body))
  }

  /** `onMessage` is called with each acknowledgement. */
  protected onPacket(received: Packet, to: ProtocolListener): ProtocolFault | null {
    const { first, bytes, start, end } = received
    const type = first & 0xf0
    if (type === CONNACK && bytes[start + 1] === 0) to.onOpen()
    else if (type === PUBACK) to.onMessage(bytes, start, end)
    else return 'bad_packet'
    return null
  }
}
