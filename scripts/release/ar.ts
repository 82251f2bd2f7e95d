// Archives of ar(1) in the form that Debian packages have: members with a short name, one after the
// other, each from an even byte on.

export interface ArMember {
  /** 15 characters of ASCII at most. */
  readonly name: string
  readonly bytes: Uint8Array
}

const MAGIC = '!<arch>\n'
const PAD = Uint8Array.of(0x0a)

/** @param seconds the time of all members, since 1970 */
export function arOf(members: readonly ArMember[], seconds: number): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(MAGIC)]
  for (const { name, bytes } of members) {
    parts.push(Buffer.from(headerOf(name, bytes.length, seconds)), bytes)
    if (bytes.length % 2 === 1) parts.push(PAD)
  }
  return Buffer.concat(parts)
}

/** 60 bytes: fields of a fixed width, filled up with blanks. */
function headerOf(name: string, size: number, seconds: number): string {
  const owner = '0'.padEnd(6)
  const fields = [name.padEnd(16), String(seconds).padEnd(12), owner, owner, '100644'.padEnd(8)]
  return `${fields.join('')}${String(size).padEnd(10)}\`\n`
}
