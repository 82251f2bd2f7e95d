// MQTT 3.1.1 as far as this bench needs it: a subscriber of one topic with QoS 0, and a publisher
// with QoS 1, whose acknowledgement stands for the answer to a request.

import { type ProtocolFault, type ProtocolListener, ProtocolReader } from './protocol.ts'

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

/** With a clean session, and without a keepalive: a silent client is a stream. */
function connect(clientId: string): Uint8Array {
  return packet(CONNECT, text('MQTT'), new Uint8Array([4, 0x02, 0, 0]), text(clientId))
}

/** A packet of the bytes that has come whole: where its contents begin, and where it ends. */
interface Span {
  readonly first: number
  readonly from: number
  readonly end: number
}

function spanIn(bytes: Uint8Array, start: number, end: number): Span | null {
  let length = 0
  for (let at = start + 1, shift = 0; at < end && shift < 28; at++, shift += 7) {
    const digit = bytes[at] as number
    length |= (digit & 0x7f) << shift
    if ((digit & 0x80) !== 0) continue
    const until = at + 1 + length
    return until <= end ? { first: bytes[start] as number, from: at + 1, end: until } : null
  }
  return null
}

/** A connection that subscribes to one topic. */
export class MqttSubscriber extends ProtocolReader {
  readonly #topic: string

  constructor(topic: string) {
    super()
    this.#topic = topic
  }

  greeting(): Uint8Array {
    return connect(`s${this.#topic}`)
  }

  protected take(
    bytes: Uint8Array,
    start: number,
    end: number,
    to: ProtocolListener,
  ): number | ProtocolFault {
    const span = spanIn(bytes, start, end)
    if (span === null) return 0
    const { from } = span
    switch (span.first & 0xf0) {
      case CONNACK:
        if (bytes[from + 1] !== 0) return 'refused'
        to.onReply(packet(SUBSCRIBE, new Uint8Array([0, 1]), text(this.#topic), ZERO))
        break
      case SUBACK:
        if (bytes[from + 2] !== 0) return 'not_subscribed'
        to.onOpen()
        break
      case PUBLISH: {
        const topicBytes = ((bytes[from] as number) << 8) | (bytes[from + 1] as number)
        to.onMessage(bytes, from + 2 + topicBytes, span.end)
        break
      }
      default:
        return 'bad_packet'
    }
    return span.end - start
  }
}

const ZERO = new Uint8Array([0])

/** A connection that publishes; each message is acknowledged before the next is sent. */
export class MqttPublisher extends ProtocolReader {
  readonly #clientId: string
  #packetId = 0

  constructor(clientId: string) {
    super()
    this.#clientId = clientId
  }

  greeting(): Uint8Array {
    return connect(this.#clientId)
  }

  message(topic: string, body: string): Uint8Array {
    this.#packetId = (this.#packetId % 0xffff) + 1
    const id = new Uint8Array([this.#packetId >> 8, this.#packetId & 0xff])
    return packet(PUBLISH | QOS_1, text(topic), id, encoder.encode(body))
  }

  /** `onMessage` is called with each acknowledgement. */
  protected take(
    bytes: Uint8Array,
    start: number,
    end: number,
    to: ProtocolListener,
  ): number | ProtocolFault {
    const span = spanIn(bytes, start, end)
    if (span === null) return 0
    const type = span.first & 0xf0
    if (type === CONNACK && bytes[span.from + 1] === 0) to.onOpen()
    else if (type === PUBACK) to.onMessage(bytes, span.from, span.end)
    else return 'bad_packet'
    return span.end - start
  }
}
