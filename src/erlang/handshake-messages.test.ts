// Goal: the messages of the handshake are byte for byte those of real nodes. Method: the recorded
// handshake decoded and encoded again, and digests by the documented rule. What is no such message
// is tested in handshake.test.ts.

import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { CHALLENGE_OF_A, CHALLENGE_OF_B } from './handshake.fixture.ts'
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
  hasRequiredFlags,
  isDigest,
  OWN_FLAGS,
} from './handshake-messages.ts'
import { fromHex } from './packet.fixture.ts'
import { COOKIE, HANDSHAKE, HANDSHAKE_AS_SENT, NODE_A, NODE_B } from './recorded.fixture.ts'
import { bytesOf } from './terms.fixture.ts'

/** A decoded message that must be valid. */
function valid<T>(value: T | 'old' | undefined): T {
  if (value === undefined || value === 'old') throw new Error('the message is invalid')
  return value
}

describe('a recorded message', () => {
  test.each([
    ['as passed on', HANDSHAKE.sendName, 0xc071f5fbcn],
    ['as sent', HANDSHAKE_AS_SENT.sendName, 0xd07df7fbcn],
  ])('with a name, %s, is decoded and encoded', (_, hex, flags) => {
    const identity = valid(decodeName(fromHex(hex)))
    expect(identity).toEqual({ name: NODE_A, flags, creation: 0xe389ab61 })
    expect(bytesOf(encodeName(identity)).toHex()).toBe(hex)
  })

  test.each([
    ['as passed on', HANDSHAKE.challenge, 0xc071f5fbcn],
    ['as sent', HANDSHAKE_AS_SENT.challenge, 0xd07df7fbcn],
  ])('with a challenge, %s, is decoded and encoded', (_, hex, flags) => {
    const sender = valid(decodeChallenge(fromHex(hex)))
    const expected = { name: NODE_B, flags, creation: 0xe389ab62, challenge: CHALLENGE_OF_B }
    expect(sender).toEqual(expected)
    expect(bytesOf(encodeChallenge(sender)).toHex()).toBe(hex)
  })

  test('with a status, a reply or an acknowledgement is decoded and encoded', () => {
    expect(decodeStatus(fromHex(HANDSHAKE.status))).toBe('ok')
    expect(bytesOf(encodeStatus('ok')).toHex()).toBe(HANDSHAKE.status)
    const { challenge, digest } = valid(decodeReply(fromHex(HANDSHAKE.challengeReply)))
    expect(challenge).toBe(CHALLENGE_OF_A)
    expect(bytesOf(encodeReply(challenge, digest)).toHex()).toBe(HANDSHAKE.challengeReply)
    const ack = valid(decodeAck(fromHex(HANDSHAKE.challengeAck)))
    expect(bytesOf(encodeAck(ack)).toHex()).toBe(HANDSHAKE.challengeAck)
  })

  test('is decoded within a larger buffer', () => {
    const bytes = bytesOf('before', fromHex(HANDSHAKE.challenge), 'behind').subarray(6, -6)
    expect(decodeChallenge(bytes)).toMatchObject({ name: NODE_B, challenge: CHALLENGE_OF_B })
  })

  test('may have further bytes after the name', () => {
    const [name, challenge] = [fromHex(HANDSHAKE.sendName), fromHex(HANDSHAKE.challenge)]
    expect(decodeName(bytesOf(name, 1, 2, 3))).toEqual(decodeName(name))
    expect(decodeChallenge(bytesOf(challenge, 'more'))).toEqual(decodeChallenge(challenge))
  })
})

describe('a digest', () => {
  test('is that of real nodes', () => {
    const { digest } = valid(decodeReply(fromHex(HANDSHAKE.challengeReply)))
    expect(bytesOf(digestOf(COOKIE, CHALLENGE_OF_B))).toEqual(bytesOf(digest))
    const ack = valid(decodeAck(fromHex(HANDSHAKE.challengeAck)))
    expect(bytesOf(digestOf(COOKIE, CHALLENGE_OF_A))).toEqual(bytesOf(ack))
  })

  test('is of the cookie in Latin-1 and the unsigned challenge in decimal digits', () => {
    const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
    expect(bytesOf(digestOf('é', 0)).toHex()).toBe(md5(bytesOf(0xe9, '0')))
    expect(bytesOf(digestOf('c', 2 ** 32 - 1)).toHex()).toBe(md5(bytesOf('c4294967295')))
  })

  test('is correct for one cookie and one challenge only', () => {
    const digest = digestOf(COOKIE, CHALLENGE_OF_B)
    expect(isDigest(digest, COOKIE, CHALLENGE_OF_B)).toBe(true)
    expect(isDigest(digest, COOKIE, CHALLENGE_OF_A)).toBe(false)
    expect(isDigest(digest, `${COOKIE}1`, CHALLENGE_OF_B)).toBe(false)
    for (const [at, byte] of digest.entries()) {
      expect(isDigest(digest.with(at, byte ^ 1), COOKIE, CHALLENGE_OF_B)).toBe(false)
    }
  })
})

test('any name and challenge is decoded as encoded', () => {
  const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  const sender = fc.record({
    name: fc.stringMatching(/^[!-~]{1,255}$/),
    flags: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    creation: uint32,
    challenge: uint32,
  })
  fc.assert(
    fc.property(sender, (sender) => {
      const { challenge: _, ...identity } = sender
      expect(decodeName(encodeName(identity))).toEqual(identity)
      expect(decodeChallenge(encodeChallenge(sender))).toEqual(sender)
    }),
  )
})

test('the flags of comet and real nodes suffice, and comet offers none that change packets', () => {
  const { flags } = valid(decodeName(fromHex(HANDSHAKE.sendName)))
  expect([flags, OWN_FLAGS, 0n].map(hasRequiredFlags)).toEqual([true, true, false])
  const published = 1n
  const atomCaches = 0x2n | 0x40n | 0x2000n
  const [exitPayload, fragments, spawn] = [0x400000n, 0x800000n, 1n << 32n]
  expect(OWN_FLAGS & (published | atomCaches | exitPayload | fragments | spawn)).toBe(0n)
})
