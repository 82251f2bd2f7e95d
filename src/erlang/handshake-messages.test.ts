// Goal: the handshake's messages are what real nodes send, byte for byte, and nothing else is taken for
// one. Method: the recorded handshake there and back, each message cut, lengthened and relabelled, and
// digests by the documented rule.

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { areEnough, OWN_FLAGS } from './flags.ts'
import {
  decodeAck,
  decodeChallenge,
  decodeName,
  decodeReply,
  decodeStatus,
  digestOf,
  encodeAck,
  encodeChallenge,
  encodeName,
  encodeReply,
  encodeStatus,
  isDigest,
} from './handshake-messages.ts'
import { bytesOf, fromHex } from './packet.fixture.ts'
import { COOKIE, HANDSHAKE, HANDSHAKE_AS_SENT, NODE_A, NODE_B } from './recorded.fixture.ts'

const CREATION_A = 0xe389ab61
const CREATION_B = 0xe389ab62
const CHALLENGE_OF_B = 0xa21fbe04
const CHALLENGE_OF_A = 0x90e67920

/** What was decoded, for those that must have been. */
function there<T>(value: T | 'old' | undefined): T {
  if (value === undefined || value === 'old') throw new Error('it is not what was recorded')
  return value
}

/** All beginnings of the bytes but the whole. */
function beginnings(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length }, (_, length) => bytes.slice(0, length))
}

/** The bytes with every other letter in front. */
function relabelled(bytes: Uint8Array, ...but: string[]): Uint8Array[] {
  const letters = Array.from({ length: 256 }, (_, letter) => letter)
  const others = letters.filter((letter) => !but.includes(String.fromCharCode(letter)))
  return others.map((letter) => bytesOf(letter, bytes.slice(1)))
}

describe('a recorded message', () => {
  test.each([
    ['as it was passed on', HANDSHAKE.sendName, 0xc071f5fbcn],
    ['as it was sent', HANDSHAKE_AS_SENT.sendName, 0xd07df7fbcn],
  ])('with a name, %s, is read and written', (_, hex, flags) => {
    const greeting = there(decodeName(fromHex(hex)))
    expect(greeting).toEqual({ name: NODE_A, flags, creation: CREATION_A })
    expect(bytesOf(encodeName(greeting)).toHex()).toBe(hex)
  })

  test.each([
    ['as it was passed on', HANDSHAKE.challenge, 0xc071f5fbcn],
    ['as it was sent', HANDSHAKE_AS_SENT.challenge, 0xd07df7fbcn],
  ])('with a challenge, %s, is read and written', (_, hex, flags) => {
    const greeting = there(decodeChallenge(fromHex(hex)))
    expect(greeting).toEqual({
      ...{ name: NODE_B, flags, creation: CREATION_B, challenge: CHALLENGE_OF_B },
    })
    expect(bytesOf(encodeChallenge(greeting)).toHex()).toBe(hex)
  })

  test('with a status is read and written', () => {
    expect(decodeStatus(fromHex(HANDSHAKE.status))).toBe('ok')
    expect(bytesOf(encodeStatus('ok')).toHex()).toBe(HANDSHAKE.status)
  })

  test('that answers a challenge is read and written', () => {
    const reply = there(decodeReply(fromHex(HANDSHAKE.challengeReply)))
    expect(reply.challenge).toBe(CHALLENGE_OF_A)
    const { challenge, digest } = reply
    expect(bytesOf(encodeReply(challenge, digest)).toHex()).toBe(HANDSHAKE.challengeReply)
  })

  test('that acknowledges is read and written', () => {
    const digest = there(decodeAck(fromHex(HANDSHAKE.challengeAck)))
    expect(bytesOf(encodeAck(digest)).toHex()).toBe(HANDSHAKE.challengeAck)
  })

  test('is read where it lies in the midst of others', () => {
    const bytes = bytesOf('before', fromHex(HANDSHAKE.challenge), 'behind').subarray(6, -6)
    expect(decodeChallenge(bytes)).toMatchObject({ name: NODE_B, challenge: CHALLENGE_OF_B })
  })
})

describe('a digest', () => {
  test('follows from the cookie and the challenge of the other', () => {
    const { digest } = there(decodeReply(fromHex(HANDSHAKE.challengeReply)))
    expect(bytesOf(digestOf(COOKIE, CHALLENGE_OF_B))).toEqual(bytesOf(digest))
    const ack = there(decodeAck(fromHex(HANDSHAKE.challengeAck)))
    expect(bytesOf(digestOf(COOKIE, CHALLENGE_OF_A))).toEqual(bytesOf(ack))
  })

  test('is of the cookie in Latin-1 and the challenge in decimal digits, without a sign', () => {
    const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
    expect(bytesOf(digestOf('é', 0)).toHex()).toBe(md5(bytesOf(0xe9, '0')))
    expect(bytesOf(digestOf('c', 2 ** 32 - 1)).toHex()).toBe(md5(bytesOf('c4294967295')))
  })

  test('is right for one cookie and one challenge alone', () => {
    const digest = digestOf(COOKIE, CHALLENGE_OF_B)
    expect(isDigest(digest, COOKIE, CHALLENGE_OF_B)).toBe(true)
    expect(isDigest(digest, COOKIE, CHALLENGE_OF_A)).toBe(false)
    expect(isDigest(digest, `${COOKIE}1`, CHALLENGE_OF_B)).toBe(false)
    for (const [at, byte] of digest.entries()) {
      expect(isDigest(digest.with(at, byte ^ 1), COOKIE, CHALLENGE_OF_B)).toBe(false)
    }
  })
})

describe('what is no such message', () => {
  const [name, challenge] = [fromHex(HANDSHAKE.sendName), fromHex(HANDSHAKE.challenge)]
  const [reply, ack] = [fromHex(HANDSHAKE.challengeReply), fromHex(HANDSHAKE.challengeAck)]
  const status = fromHex(HANDSHAKE.status)

  test('since it is cut short', () => {
    expect(beginnings(name).filter((bytes) => decodeName(bytes) !== undefined)).toEqual([])
    expect(beginnings(challenge).filter((bytes) => decodeChallenge(bytes) !== undefined)).toEqual(
      [],
    )
    expect(beginnings(reply).filter((bytes) => decodeReply(bytes) !== undefined)).toEqual([])
    expect(beginnings(ack).filter((bytes) => decodeAck(bytes) !== undefined)).toEqual([])
    expect(decodeStatus(new Uint8Array(0))).toBeUndefined()
  })

  test('since it is too long', () => {
    for (const more of [1, 2, 16]) {
      expect(decodeReply(bytesOf(reply, new Uint8Array(more)))).toBeUndefined()
      expect(decodeAck(bytesOf(ack, new Uint8Array(more)))).toBeUndefined()
    }
  })

  test('since it has another letter', () => {
    const read = (decode: (bytes: Uint8Array) => unknown, all: Uint8Array[]) =>
      all.filter((bytes) => decode(bytes) !== undefined)
    expect(read(decodeName, relabelled(name, 'N', 'n'))).toEqual([])
    expect(read(decodeChallenge, relabelled(challenge, 'N', 'n'))).toEqual([])
    expect(read(decodeStatus, relabelled(status, 's'))).toEqual([])
    expect(read(decodeReply, relabelled(reply, 'r'))).toEqual([])
    expect(read(decodeAck, relabelled(ack, 'a'))).toEqual([])
  })

  test('since an old node sends it', () => {
    const old = bytesOf('n', 0, 5, 0, 3, 0x7f, 0xbc, NODE_A)
    expect([decodeName(old), decodeChallenge(old)]).toEqual(['old', 'old'])
  })

  test('but what a later version puts behind the name is passed over', () => {
    expect(decodeName(bytesOf(name, 1, 2, 3))).toEqual(decodeName(name))
    expect(decodeChallenge(bytesOf(challenge, 'more'))).toEqual(decodeChallenge(challenge))
  })
})

test('whatever is written is read as the same', () => {
  const uint = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  const greeting = fc.record({
    name: fc.stringMatching(/^[!-~]{1,255}$/),
    flags: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    creation: uint,
  })
  fc.assert(
    fc.property(greeting, uint, (greeting, challenge) => {
      expect(decodeName(encodeName(greeting))).toEqual(greeting)
      const challenged = { ...greeting, challenge }
      expect(decodeChallenge(encodeChallenge(challenged))).toEqual(challenged)
    }),
  )
})

describe('the flags', () => {
  const { flags } = there(decodeName(fromHex(HANDSHAKE.sendName)))

  test('of a real node are enough, and comet offers none that would change what nodes send', () => {
    expect([areEnough(flags), areEnough(OWN_FLAGS), areEnough(0n)]).toEqual([true, true, false])
    const published = 1n
    const atomCaches = 0x2n | 0x40n | 0x2000n
    const [exitPayload, fragments, spawn] = [0x400000n, 0x800000n, 1n << 32n]
    expect(OWN_FLAGS & (published | atomCaches | exitPayload | fragments | spawn)).toBe(0n)
  })

  test.each([0x4n, 0x100n, 0x10000n, 0x800n, 0x40000n, 0x1000000n])(
    'without the bit %p are too few',
    (flag) => {
      expect(areEnough(flags & ~flag)).toBe(false)
    },
  )
})
