// What a flood is asked to do, and each process's share of it. Plain data and arithmetic.

import { floodLimits } from '../core/limits.ts'
import { defaultSources } from './source.ts'

/** The server and the path of its streams; `{id}` in the path stands for the user. */
export interface Target {
  /** As in the URL, for the Host header. */
  readonly host: string
  /** The address that the host's name resolved to. */
  readonly address: string
  readonly port: number
  readonly pathTemplate: string
}

export interface FloodOptions {
  readonly target: Target
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
  /** In other processes, even if one would do: this one has something else to do meanwhile. */
  readonly apart: boolean
}

/** One process's share. */
export interface Share {
  readonly target: Target
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
  const { target, connections, firstId, ratePerSecond, pendingMax } = options
  const each = openFilesLimit - floodLimits.reserveDescriptors
  const raise = `a process may have ${openFilesLimit} files open; raise that with ulimit -n`
  if (each < floodLimits.connectionsPerProcessMin) return raise
  const processes = Math.max(1, Math.ceil(connections / each))
  if (processes > floodLimits.processesMax) return `it would take ${processes} processes: ${raise}`
  const sources = options.sources ?? defaultSources(target.address, connections)
  const portsEach = Math.ceil(connections / processes / Math.max(1, sources.length))
  let begun = 0
  return Array.from({ length: processes }, (_, at) => {
    const share = Math.floor(((at + 1) * connections) / processes) - begun
    const first = firstId + begun
    begun += share
    return {
      target,
      connections: share,
      firstId: first,
      ratePerSecond: ratePerSecond === null ? null : ratePerSecond / processes,
      pendingMax: Math.max(1, Math.floor(pendingMax / processes)),
      sources,
      portOffset: portOffset + at * portsEach,
    }
  })
}

/** Reads `http://host:port/path/{id}`; answers why it cannot be flooded otherwise. */
export function parseTemplate(
  template: string,
): { hostname: string; port: number; host: string; pathTemplate: string } | string {
  // The braces are not for the URL parser, which would escape them.
  const match = /^http:\/\/(\[[0-9a-f:.]+\]|[^/:?#@[\]\s]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/i.exec(
    template,
  )
  if (match === null) {
    return /^https:/i.test(template)
      ? 'https is not supported; flood the server behind the TLS proxy instead'
      : 'it must look like http://127.0.0.1:8000/test/{id}'
  }
  const port = Number(match[2] ?? 80)
  if (port < 1 || port > 65_535) return `${port} is no port`
  const hostname = (match[1] as string).replace(/^\[|\]$/g, '')
  return { hostname, port, host: `${match[1]}:${port}`, pathTemplate: match[3] ?? '/' }
}
