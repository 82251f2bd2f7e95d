// The options of `comet serve` that make it one of several nodes, which share one log in Redis.

import { hostname } from 'node:os'
import { flag, type ValueOption, type Values } from '../cli/option.ts'
import { checkAlone, checkRedis, REDIS_OPTIONS, readRedis } from '../cli/redis-options.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { isName, NAME_RULE } from '../core/name.ts'
import { allOf, OK, type Result, success } from '../core/result.ts'
import type { BusConfig } from '../hub/settings.ts'

const nodeName: ValueOption<string, null> = {
  value: 'name',
  description: 'name of this server (default: the host name; with --bus also a random suffix)',
  fallback: null,
  parse: (text) => (isName(text) ? text : undefined),
  expected: `${NAME_RULE}, not a number`,
}

export const BUS_OPTIONS = {
  ...REDIS_OPTIONS,
  'bus-required': flag('/readyz fails while Redis is not connected'),
  'node-name': nodeName,
} as const

/** For what has a default: given on the command line alone, it would do nothing. */
export const BUS_REQUIREMENTS = [['bus-prefix', 'bus']] as const

export type BusValues = Values<typeof BUS_OPTIONS>

/** Are these options valid together? */
export function checkBus(values: BusValues): Result<void> {
  const alone = values.bus === null ? checkAlone(values, ['bus-required']) : OK
  return allOf(checkRedis(values), alone)
}

export interface ReadBus {
  /** Null for a server of its own. */
  readonly bus: BusConfig | null
  /** About a file that other users can read. */
  readonly warnings: readonly string[]
}

/**
 * How this server is one of several. Once a start, since a name that is made up is another one each
 * time.
 *
 * @param values that are valid together
 * @param defaultName for a node that is given none
 */
export function busConfig(values: BusValues, defaultName = randomNodeName()): Result<ReadBus> {
  if (values.bus === null) return success({ bus: null, warnings: [] })
  const read = readRedis(values.bus, values)
  if (!read.ok) return read
  const { address, warnings } = read.value
  const bus = {
    address,
    prefix: values['bus-prefix'],
    isRequired: values['bus-required'],
    nodeName: values['node-name'] ?? defaultName,
  }
  return success({ bus, warnings })
}

/** Bytes of the random end: few nodes of one host name at a time, and a name that can be read. */
const END_BYTES = 3

function randomNodeName(): string {
  return nodeNameOf(hostname(), crypto.getRandomValues(new Uint8Array(END_BYTES)))
}

/** The name of a node by that of its host, which may have characters that no name has. */
export function nodeNameOf(host: string, random: Uint8Array): string {
  const end = `-${random.toHex()}`
  const lengthMax = identityLimits.nameLengthMax - end.length
  return (host.replace(/[^A-Za-z0-9._:@-]/g, '-').slice(0, lengthMax) || 'node') + end
}
