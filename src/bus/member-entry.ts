// Entries of the log about members: a node has joined or left. Such an entry is a batch without
// messages, of an origin that all nodes share; it takes one number of the log.

import { nodeLimits } from '../core/bus-limits.ts'
import type { Cursor } from '../core/cursor.ts'
import { isObject, parseObject } from '../core/json.ts'
import { type BatchEntry, isOrigin } from './stream-entry.ts'

/** What a node tells about itself. */
export interface NodeDescription {
  /** For people. */
  readonly name: string
  /** Where its control port is, for people and for other nodes. */
  readonly address: string
  readonly version: string
  /** When it was started, in milliseconds since 1970. */
  readonly startedMs: number
}

/** A node of the cluster. */
export interface Member extends NodeDescription {
  /** Identifies one run of the node. */
  readonly origin: string
  /** When it joined, in milliseconds since 1970 by the clock of Redis, in whole seconds. */
  readonly sinceMs: number
}

/**
 * A change of the members. `stopped`: the node has told so itself; `dead`: it sent no heartbeats
 * any more.
 */
export type MemberChange = { readonly version: number; readonly at: Cursor } & (
  | { readonly kind: 'join'; readonly member: Member }
  | { readonly kind: 'stopped' | 'dead'; readonly origin: string }
)

/**
 * The origin of these entries, which no run of a node has. With an origin, they are numbered, added
 * again after a failover, and read once, as all batches are.
 */
export const MEMBERS_ORIGIN = 'f'.repeat(16)

/** The description as JSON, as nodes send it. */
export function descriptionText({ name, address, version, startedMs }: NodeDescription): string {
  return JSON.stringify({ name, address, version, startedMs })
}

/**
 * A member as Redis keeps it: an epoch in which it was a member, when it joined in seconds, and
 * {@link descriptionText}.
 */
export function memberText(member: Member, epoch: number): string {
  return `${epoch} ${Math.floor(member.sinceMs / 1_000)} ${descriptionText(member)}`
}

/** Null if the text is not valid. */
export function parseMember(origin: unknown, text: unknown): Member | null {
  if (!isOrigin(origin) || typeof text !== 'string') return null
  const [, seconds, json] = /^\d{1,15} (\d{1,12}) (\{.*)$/s.exec(text) ?? []
  return seconds === undefined || json === undefined ? null : memberOf(origin, seconds, json)
}

function memberOf(origin: string, seconds: string | number, json: string): Member | null {
  if (json.length > TEXT_LENGTH_MAX) return null
  const description = parseObject(json)
  if (!isObject(description)) return null
  const { name, address, version, startedMs } = description
  const isRight =
    isShort(name, nodeLimits.nameLengthMax) &&
    isShort(address, nodeLimits.addressLengthMax) &&
    isShort(version, nodeLimits.versionLengthMax) &&
    typeof startedMs === 'number'
  if (!isRight) return null
  return { origin, name, address, version, startedMs, sinceMs: Number(seconds) * 1_000 }
}

/** With all characters escaped. */
const TEXT_LENGTH_MAX =
  6 * (nodeLimits.nameLengthMax + nodeLimits.addressLengthMax + nodeLimits.versionLengthMax) + 200

function isShort(value: unknown, lengthMax: number): value is string {
  return typeof value === 'string' && value.length <= lengthMax
}

/**
 * Reads the head `j<origin>,<version>` with the description of the node as the body, or
 * `l<origin>,<version>` with the reason why it left. Null for any other batch.
 */
export function memberChangeOf(entry: BatchEntry): MemberChange | null {
  if (entry.origin !== MEMBERS_ORIGIN || entry.count !== 1) return null
  const [, letter, origin = '', digits] = HEAD.exec(entry.head) ?? []
  const [version, { at, seconds }] = [Number(digits), entry]
  if (letter === 'j') {
    const member = memberOf(origin, seconds, entry.body)
    return member === null ? null : { kind: 'join', version, at, member }
  }
  const { body } = entry
  if (letter !== 'l' || (body !== 'stopped' && body !== 'dead')) return null
  return { kind: body, version, at, origin }
}

const HEAD = /^([jl])([0-9a-f]{16}),([1-9]\d{0,14})$/
