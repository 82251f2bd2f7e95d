// The readers of MQTT and socket.io take what a server sends, wherever it is cut, and say what
// belongs in between.

import { describe, expect, test } from 'bun:test'
import { MqttPublisher, MqttSubscriber } from './mqtt.ts'
import type { ProtocolReader } from './protocol.ts'
import { SocketIoStream } from './socket-io.ts'

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'))

/** What a reader made of these bytes, in pieces of a length. */
function readIn(reader: ProtocolReader, bytes: Uint8Array, pieceBytes: number) {
  const events: string[] = []
  const text = (of: Uint8Array) => Buffer.from(of).toString('latin1')
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const fault = reader.read(bytes.subarray(at, at + pieceBytes), {
      onReply: (reply) => events.push(`reply ${text(reply)}`),
      onOpen: () => events.push('open'),
      onMessage: (of, start, end) => events.push(`message ${text(of.subarray(start, end))}`),
    })
    if (fault !== null) return [...events, `fault ${fault}`]
  }
  return events
}

const LONG = 'x'.repeat(300)

describe('a subscriber of MQTT', () => {
  const CONNACK = '\x20\x02\x00\x00'
  const SUBACK = '\x90\x03\x00\x01\x00'
  // 300 bytes behind a topic of one letter: 303, as two digits of seven bits.
  const SENT = `${CONNACK}${SUBACK}\x30\x08\x00\x017hello\x30\xaf\x02\x00\x017${LONG}`

  test.each([1, 2, 3, 7, 1_000])('reads pieces of %i bytes', (pieceBytes) => {
    expect(readIn(new MqttSubscriber('7'), bytesOf(SENT), pieceBytes)).toEqual([
      'reply \x82\x06\x00\x01\x00\x017\x00',
      'open',
      'message hello',
      `message ${LONG}`,
    ])
  })

  test('says that it is refused, or that it cannot subscribe', () => {
    const read = (text: string) => readIn(new MqttSubscriber('7'), bytesOf(text), 100)
    expect(read('\x20\x02\x00\x05')).toEqual(['fault refused'])
    expect(read('\x90\x03\x00\x01\x80')).toEqual(['fault not_subscribed'])
    expect(read('\xe0\x00')).toEqual(['fault bad_packet'])
  })
})

test('a publisher of MQTT numbers its messages, and takes each acknowledgement', () => {
  const publisher = new MqttPublisher('p')
  expect(publisher.message('7', 'hi')).toEqual(bytesOf('\x32\x07\x00\x017\x00\x01hi'))
  expect(publisher.message('7', 'hi')).toEqual(bytesOf('\x32\x07\x00\x017\x00\x02hi'))
  expect(readIn(publisher, bytesOf('\x20\x02\x00\x00\x40\x02\x00\x01'), 3)).toEqual([
    'open',
    'message \x00\x01',
  ])
})

describe('a client of socket.io', () => {
  const HEAD = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'
  const frame = (text: string) => {
    const { length } = text
    const size = length < 126 ? [length] : [126, length >> 8, length & 0xff]
    return `\x81${String.fromCharCode(...size)}${text}`
  }
  const PACKETS = ['0{"sid":"a"}', '40{"sid":"b"}', '2', '42["message","a"]', `42${LONG}`]
  const SENT = HEAD + PACKETS.map(frame).join('')

  test.each([1, 2, 5, 1_000])('reads pieces of %i bytes', (pieceBytes) => {
    expect(readIn(new SocketIoStream('localhost', 7), bytesOf(SENT), pieceBytes)).toEqual([
      'reply \x81\x82\x00\x00\x00\x0040',
      'open',
      'reply \x81\x81\x00\x00\x00\x003',
      'message ["message","a"]',
      `message ${LONG}`,
    ])
  })

  test('answers a ping that comes alone', () => {
    expect(readIn(new SocketIoStream('localhost', 7), bytesOf(HEAD + frame('2')), 1_000)).toEqual([
      'reply \x81\x81\x00\x00\x00\x003',
    ])
  })

  test('says that it is not upgraded', () => {
    const refused = bytesOf('HTTP/1.1 400 Bad Request\r\n\r\n')
    expect(readIn(new SocketIoStream('localhost', 7), refused, 100)).toEqual(['fault not_upgraded'])
  })
})
