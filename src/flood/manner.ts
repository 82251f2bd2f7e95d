// The options of `comet flood` that say how its streams behave and when, and what they mean together.

import { count, duration, list, oneOf, type ValueOption, type Values } from '../cli/option.ts'
import { floodLimits } from '../core/tool-limits.ts'
import { parseShare } from '../core/units.ts'
import { openBlackhole } from '../os/blackhole.ts'
import type { FloodOptions, Manner, Target } from './plan.ts'
import { parseHeader } from './request.ts'
import { parseSources } from './source.ts'

export const sources: ValueOption<string[]> & { fallback: null } = {
  value: 'from-to',
  description: 'local addresses to connect from (default on loopback: 127.0.1.1 and up)',
  fallback: null,
  parse: parseSources,
  expected: 'an address like 10.0.0.1 or fd00::1, or a range like 10.0.0.1-10.0.0.17',
}

const header: ValueOption<string> & { fallback: null } = {
  value: 'name: value',
  description: 'a field of the request, like "TE: chunked"; may be repeated',
  fallback: null,
  parse: parseHeader,
  expected: 'a name, a colon and a value',
}

const churn: ValueOption<number> & { fallback: string } = {
  value: 'share/s',
  description: 'of all streams, those that are closed and opened again each second, like 1%/s',
  fallback: '0%/s',
  parse: (text) => (text.endsWith('/s') ? parseShare(text.slice(0, -2)) : undefined),
  expected: 'a share a second, like 1%/s or 0.5%/s',
}

function share(description: string): ValueOption<number> & { fallback: string } {
  return {
    value: 'share',
    description,
    fallback: '0%',
    parse: parseShare,
    expected: 'a share from 0% to 100%',
  }
}

export const mannerOptions = {
  header: list(header),
  framing: oneOf(
    ['auto', 'chunk', 'line', 'sse'],
    'auto',
    "what a message is: a chunk, a line or a server-sent event; auto goes by the response's type",
  ),
  churn,
  reconnect: duration(null, 'try a stream that ended or failed again, after about this time', {
    minMs: 1,
  }),
  slow: share('of all streams, those that stop reading once they are open'),
  'silent-drop': share('of all streams, those that vanish once open, without FIN or RST'),
} as const

export const scheduleOptions = {
  rate: count(null, 'connections begun a second (default: as the server keeps up)'),
  ramp: duration(null, 'begin all connections evenly within this time', { minMs: 1 }),
  pending: count(
    String(floodLimits.pendingDefault),
    'connections that await their first byte at the same time',
    { max: floodLimits.pendingMax },
  ),
  hold: duration(null, 'end the run so long after all streams are open or have failed'),
  duration: duration(null, 'how long to run (default: until interrupted)'),
} as const

/** How streams behave, or why that cannot be had. */
export function mannerOf(
  values: Values<typeof mannerOptions>,
  target: Target,
): Omit<Manner, 'noteArrivals'> | string {
  const { framing, churn, reconnect, slow } = values
  const silentDrop = values['silent-drop']
  if (target.protocol === 'ws' && framing !== 'auto') {
    return `a message of a WebSocket is a frame; leave out --framing ${framing}`
  }
  if (slow + silentDrop > 1 + 1e-9)
    return '--slow and --silent-drop together are more than all streams'
  if (silentDrop > 0 && openBlackhole() === null) {
    return '--silent-drop needs Linux, whose kernel can drop what comes for one connection'
  }
  return {
    target,
    headers: values.header,
    framing: framing === 'auto' ? null : framing,
    churn,
    reconnectMs: reconnect,
    slow,
    silentDrop,
  }
}

type Schedule = Pick<FloodOptions, 'ratePerSecond' | 'pendingMax' | 'holdMs' | 'durationMs'>

/** Both say when connections begin, so one of them is given at most. */
export const SCHEDULES = ['rate', 'ramp'] as const

/** When what happens. */
export function scheduleOf(
  values: Values<typeof scheduleOptions> & { readonly connections: number },
): Schedule {
  const { rate, ramp, pending, hold, duration, connections } = values
  return {
    ratePerSecond: ramp === null ? rate : (connections * 1000) / ramp,
    pendingMax: pending,
    holdMs: hold,
    durationMs: duration,
  }
}
