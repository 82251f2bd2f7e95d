// The name of an Erlang node, `alive@host`, and what follows from it. It looks nothing up.

import { erlangLimits } from '../core/limits.ts'

export interface NodeName {
  /** All of it, as nodes know each other. */
  readonly full: string
  /** The part that the port mapper of the host knows. */
  readonly alive: string
  readonly host: string
}

/** Reads a node's name; undefined if the text is none. */
export function parseNodeName(text: string): NodeName | undefined {
  // Printable ASCII: other characters would be another name in Latin-1 than in UTF-8.
  const match = /^([!-?A-~]+)@([!-?A-~]+)$/.exec(text)
  if (match === null || text.length > erlangLimits.nameBytesMax) return undefined
  const [full, alive = '', host = ''] = match
  return { full, alive, host }
}

/** Erlang's `-name` has a host with dots or an IPv6 address, its `-sname` one without. */
export function isLongName({ host }: NodeName): boolean {
  return /[.:]/.test(host)
}
