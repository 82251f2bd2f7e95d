// What a flood is asked to do, and each process's share of it. Plain data and arithmetic.

import { floodLimits } from '../core/tool-limits.ts'
import type { Framing } from './framing.ts'
import { defaultSources } from './source.ts'

/** A stream is the body of a response, or a WebSocket. */
export type Protocol = 'http' | 'ws'

/** The server and the path of its streams; `{id}` in the path stands for the user. */
export interface Target {
  readonly protocol: Protocol
  /** As in the URL, for the Host header. */
  readonly host: string
  /** The address that the host's name resolved to. */
  readonly address: string
  readonly port: number
  readonly pathTemplate: string
}

/** What each process does in the same way. */
export interface Manner {
  readonly target: Target
  /** Fields of the request, as lines, besides those that it needs. */
  readonly headers: readonly string[]
  /** What a message is; null to tell by the response's type. */
  readonly framing: Framing | null
  /** Of all streams, a second, to be closed and opened again; 0 for none. */
  readonly churn: number
  /** Milliseconds, in the mean, until a stream that ended is tried again; null for never. */
  readonly reconnectMs: number | null
  /** Of all streams, those that stop reading once they are open. */
  readonly slow: number
  /** Of all streams, those that vanish once they are open: the server is not told. */
  readonly silentDrop: number
  /** Remember which messages came, so that those which did not can be named. */
  readonly noteArrivals: boolean
}

export interface FloodOptions extends Manner {
  readonly connections: number
  readonly firstId: number
  /** Connections begun a second, or null for as many as the server keeps up with. */
  readonly ratePerSecond: number | null
  /** Connections that await their first byte at the same time, at most. */
  readonly pendingMax: number
  /** Local addresses, or null to choose them. */
  readonly sources: readonly string[] | null
  /** How long the run takes, or null until it is stopped. */
  readonly durationMs: number | null
  /** How long it goes on once all streams are open or have failed; null as long as it may. */
  readonly holdMs: number | null
  /** Not in this process, which has other work. */
  readonly apart: boolean
}

/** A manner that does nothing but read, of whatever the response says that it is. */
export function plainManner(target: Target): Manner {
  return {
    target,
    headers: [],
    framing: null,
    churn: 0,
    reconnectMs: null,
    slow: 0,
    silentDrop: 0,
    noteArrivals: false,
  }
}

/** One process's share. */
export interface Share {
  readonly manner: Manner
  readonly connections: number
  readonly firstId: number
  readonly ratePerSecond: number | null
  readonly pendingMax: number
  readonly sources: readonly string[]
  /** Where in the range of local ports this share begins. */
  readonly portOffset: number
}

/**
 * Splits a run over as many processes as the open-files limit demands; they differ by one
 * connection at most.
 *
 * @param portOffset where the run begins in the range of local ports
 * @returns the shares, or why the run cannot be had
 */
export function sharesOf(
  options: FloodOptions,
  openFilesLimit: number,
  portOffset: number,
): Share[] | string {
  const { connections, firstId, ratePerSecond, pendingMax } = options
  const manner = mannerOf(options)
  const each = openFilesLimit - floodLimits.reserveDescriptors
  const raise = `a process may have ${openFilesLimit} files open; raise that with ulimit -n`
  if (each < floodLimits.connectionsPerProcessMin) return raise
  const processes = Math.max(1, Math.ceil(connections / each))
  if (processes > floodLimits.processesMax) return `it would take ${processes} processes: ${raise}`
  const sources = options.sources ?? defaultSources(manner.target.address, connections)
  const portsEach = Math.ceil(connections / processes / Math.max(1, sources.length))
  let begun = 0
  return Array.from({ length: processes }, (_, at) => {
    const share = Math.floor(((at + 1) * connections) / processes) - begun
    const first = firstId + begun
    begun += share
    return {
      manner,
      connections: share,
      firstId: first,
      ratePerSecond: ratePerSecond === null ? null : ratePerSecond / processes,
      pendingMax: Math.max(1, Math.floor(pendingMax / processes)),
      sources,
      portOffset: portOffset + at * portsEach,
    }
  })
}

/** Without what is not the same in each process, since it goes to each. */
function mannerOf(options: FloodOptions): Manner {
  const { target, headers, framing, churn, reconnectMs, slow, silentDrop, noteArrivals } = options
  return { target, headers, framing, churn, reconnectMs, slow, silentDrop, noteArrivals }
}

/** What a URL template says; the address of its host is found elsewhere. */
export type Template = Omit<Target, 'address'> & { readonly hostname: string }

/** Reads `http://host:port/path/{id}`; answers why it cannot be flooded otherwise. */
export function parseTemplate(template: string): Template | string {
  // The braces are not for the URL parser, which would escape them.
  const match = /^(http|ws):\/\/(\[[0-9a-f:.]+\]|[^/:?#@[\]\s]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/i.exec(
    template,
  )
  if (match === null) {
    return /^(https|wss):/i.test(template)
      ? 'https is not supported; flood the server behind the TLS proxy instead'
      : 'it must look like http://127.0.0.1:8000/test/{id}'
  }
  const [, protocol = '', hostText = '', portText = '80', pathTemplate = '/'] = match
  const port = Number(portText)
  if (port < 1 || port > 65_535) return `${port} is no port`
  const hostname = hostText.replace(/^\[|\]$/g, '')
  return {
    protocol: protocol.toLowerCase() === 'ws' ? 'ws' : 'http',
    hostname,
    port,
    host: `${hostText}:${port}`,
    pathTemplate,
  }
}
