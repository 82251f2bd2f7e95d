// Goal: an executable for macOS gets a signature that is right, whatever was there. Method: a small
// Mach-O file made here, with a wrong signature; what is written is read again by its
// specification.

import { expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { isSigned, signed } from './signature.ts'

const TEXT_BYTES = 9_000
const LINKS_BYTES = 1_000
const SIGNATURE = TEXT_BYTES + LINKS_BYTES

function segment(name: string, offset: number, size: number): Buffer {
  const command = Buffer.alloc(72)
  command.writeUInt32LE(0x19, 0)
  command.writeUInt32LE(command.length, 4)
  command.write(name, 8)
  command.writeBigUInt64LE(16_384n, 32)
  command.writeBigUInt64LE(BigInt(offset), 40)
  command.writeBigUInt64LE(BigInt(size), 48)
  return command
}

/** Text, links and a signature of zeros. */
function machO(): Buffer {
  const command = Buffer.alloc(16)
  command.writeUInt32LE(0x1d, 0)
  command.writeUInt32LE(command.length, 4)
  command.writeUInt32LE(SIGNATURE, 8)
  command.writeUInt32LE(100, 12)
  const commands = [
    segment('__TEXT', 0, TEXT_BYTES),
    segment('__LINKEDIT', TEXT_BYTES, LINKS_BYTES + 100),
    command,
  ]
  const header = Buffer.alloc(32)
  header.writeUInt32LE(0xfeedfacf, 0)
  header.writeUInt32LE(0x0100_0007, 4)
  header.writeUInt32LE(commands.length, 16)
  const start = Buffer.concat([header, ...commands])
  const body = Buffer.alloc(SIGNATURE - start.length, 'comet')
  return Buffer.concat([start, body, Buffer.alloc(100)])
}

test('one changed byte makes a signature invalid', () => {
  const before = machO()
  expect(isSigned(before)).toBe(false)
  const after = signed(before, 'comet')
  expect(isSigned(after)).toBe(true)
  for (const at of [5_000, SIGNATURE - 1, after.length - 1]) {
    const changed = after.slice()
    changed[at] = (changed[at] ?? 0) ^ 1
    expect([at, isSigned(changed)]).toEqual([at, false])
  }
})

test('signing a signed executable changes nothing', () => {
  const once = signed(machO(), 'comet')
  expect(signed(once, 'comet')).toEqual(once)
})

test('the signature is an ad hoc code directory at the end of the link edit segment', () => {
  const after = Buffer.from(signed(machO(), 'comet'))
  expect(after.compare(machO(), 300, SIGNATURE, 300, SIGNATURE)).toBe(0)
  const size = after.length - SIGNATURE
  const [, links, command] = [32, 32 + 72, 32 + 144]
  expect(after.readUInt32LE(command + 12)).toBe(size)
  expect(after.readBigUInt64LE(links + 48)).toBe(BigInt(LINKS_BYTES + size))
  expect(after.readBigUInt64LE(links + 32)).toBe(16_384n)
  const all = after.subarray(SIGNATURE)
  expect([0, 4, 8, 12, 16].map((at) => all.readUInt32BE(at))).toEqual([0xfade0cc0, size, 1, 0, 24])
  const directory = all.subarray(24)
  const [magic, length, version, flags, digests = 0, name = 0, special, slots, limit] = Array.from(
    { length: 9 },
    (_, at) => directory.readUInt32BE(4 * at),
  )
  expect({ magic, length, version, flags, special, slots, limit }).toEqual({
    magic: 0xfade0c02,
    length: size - 24,
    version: 0x20400,
    flags: 0x20002,
    special: 0,
    slots: 3,
    limit: SIGNATURE,
  })
  expect([...directory.subarray(36, 40)]).toEqual([32, 2, 0, 12])
  expect(directory.subarray(name, name + 6).toString()).toBe('comet\0')
  const last = createHash('sha256').update(after.subarray(8_192, SIGNATURE)).digest()
  expect(directory.subarray(digests + 64, digests + 96)).toEqual(last)
  expect(directory.length).toBe(digests + 96)
})
