// The name of an Erlang node, `alive@host`.

import { erlangLimits } from '../core/limits.ts'
import type { ErlangNodeName } from '../hub/settings.ts'

/** Undefined if the text is not a node name. */
export function parseNodeName(text: string): ErlangNodeName | undefined {
  // Printable ASCII only: other characters differ between Latin-1 and UTF-8.
  const match = /^([!-?A-~]+)@([!-?A-~]+)$/.exec(text)
  if (match === null || text.length > erlangLimits.nameBytesMax) return undefined
  const [full, alive = '', host = ''] = match
  return { full, alive, host }
}

/** Whether the name needs `-name`, whose host has dots or is an IPv6 address, instead of
 * `-sname`. */
export function isLongName({ host }: ErlangNodeName): boolean {
  return /[.:]/.test(host)
}
