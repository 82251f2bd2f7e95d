// The options of a flood, each process's share of it, and when streams close and return. Plain data
// and arithmetic.

import { PORT_MAX, parseIp } from '../core/address.ts'
import { isName } from '../core/name.ts'
import { type Result, refused, success } from '../core/result.ts'
import { backoffMs } from '../core/retry.ts'
import { floodLimits } from '../core/tool-limits.ts'
import type { Framing } from './framing.ts'
import { defaultSources } from './local-ends.ts'

/** A stream is the body of a response, or a WebSocket. */
export type Protocol = 'http' | 'ws'

/** What a stream is read as: `test` is any response, in which messages are found by its framing. */
export type StreamFormat = 'test' | 'json' | 'sse' | 'websocket' | 'raw' | 'poll'

/** Do messages of the format have cursors? */
export function hasCursors(format: StreamFormat): boolean {
  return format !== 'test' && format !== 'raw'
}

/** The server and the path of its streams; `{id}` in the path stands for the user. */
export interface Target {
  readonly protocol: Protocol
  /** As in the URL, for the Host header. */
  readonly host: string
  /** The address that the host's name resolved to. */
  readonly address: string
  readonly port: number
  readonly pathTemplate: string
  /** Of https; left out in the clear. */
  readonly tls?: TargetTls
}

/** How the server's certificate is checked. */
export interface TargetTls {
  /** The name that it must be for; null for the address. */
  readonly serverName: string | null
  /** Is any certificate accepted? */
  readonly insecure: boolean
  /** Certificates in PEM to trust instead of those of the system; null for these. */
  readonly ca: string | null
}

/** How streams behave; the same in each process. */
export interface StreamBehaviour {
  readonly target: Target
  readonly format: StreamFormat
  /** Does a stream that comes back go on where it was? */
  readonly resume: boolean
  /** What each user's token is signed with; null for none. */
  readonly tokenSecret: string | null
  /** Additional header fields of the request, as lines. */
  readonly headers: readonly string[]
  /** What a message is; null to decide by the response's type. */
  readonly framing: Framing | null
  /** Share of all streams that is closed and opened again each second; 0 for none. */
  readonly churn: number
  /** Mean delay until a stream that ended is tried again; null for never. */
  readonly reconnectMs: number | null
  /** Share of all streams that stops reading once open. */
  readonly slow: number
  /** Share of all streams that is dropped once open, without FIN or RST. */
  readonly silentDrop: number
  /** Record which messages came, so that lost ones can be named. */
  readonly recordArrivals: boolean
}

export interface FloodOptions {
  readonly behaviour: StreamBehaviour
  readonly connections: number
  readonly firstId: number
  /** Connections begun per second, or null for as many as the server keeps up with. */
  readonly ratePerSecond: number | null
  /** Most connections that wait for their first byte at the same time. */
  readonly pendingMax: number
  /** Local addresses, or null for the default. */
  readonly sources: readonly string[] | null
  /** How long the run takes, or null until it is stopped. */
  readonly durationMs: number | null
  /** How long the run goes on once all streams are open or have failed; null for no limit. */
  readonly holdMs: number | null
  /** Streams that are cut at once after the hold; null for no storm. */
  readonly storm: number | null
  /** Never in this process, which has other work. */
  readonly inOwnProcess: boolean
}

/** Streams that only read, and whose framing the response decides. */
export function plainBehaviour(target: Target): StreamBehaviour {
  return {
    target,
    format: 'test',
    resume: false,
    tokenSecret: null,
    headers: [],
    framing: null,
    churn: 0,
    reconnectMs: null,
    slow: 0,
    silentDrop: 0,
    recordArrivals: false,
  }
}

type Shared = 'behaviour' | 'connections' | 'firstId' | 'ratePerSecond' | 'pendingMax' | 'storm'

/** One process's share. */
export interface Share extends Pick<FloodOptions, Shared> {
  readonly sources: readonly string[]
  /** Hold connections as descriptors, past Bun. */
  readonly onDescriptors: boolean
  /** The first local port of this share, as an offset in their range. */
  readonly portOffset: number
}

/** What decides about a run besides its options. */
export interface Circumstances {
  /** Of each process. */
  readonly openFilesLimit: number
  /** The first local port of the run, as an offset in their range. */
  readonly portOffset: number
  readonly onDescriptors: boolean
}

/**
 * Splits a run over as many processes as the open-files limit demands; they differ by one
 * connection at most.
 */
export function sharesOf(
  options: FloodOptions,
  { openFilesLimit, portOffset, onDescriptors }: Circumstances,
): Result<Share[]> {
  const { behaviour, connections, firstId, ratePerSecond, pendingMax, storm } = options
  const each = openFilesLimit - floodLimits.reserveDescriptors
  const raise = `a process may have ${openFilesLimit} files open; raise that with ulimit -n`
  if (each < floodLimits.connectionsPerProcessMin) return refused(raise)
  const processes = Math.max(1, Math.ceil(connections / each))
  if (processes > floodLimits.processesMax) {
    return refused(`it would take ${processes} processes: ${raise}`)
  }
  const sources = options.sources ?? defaultSources(behaviour.target.address, connections)
  const portsEach = Math.ceil(connections / processes / Math.max(1, sources.length))
  let begun = 0
  let cut = 0
  const shares = Array.from({ length: processes }, (_, at): Share => {
    const share = Math.floor(((at + 1) * connections) / processes) - begun
    const first = firstId + begun
    begun += share
    const cutBefore = cut
    cut = Math.floor(((at + 1) * (storm ?? 0)) / processes)
    return {
      behaviour,
      connections: share,
      firstId: first,
      ratePerSecond: ratePerSecond === null ? null : ratePerSecond / processes,
      storm: storm === null ? null : cut - cutBefore,
      pendingMax: Math.max(1, Math.floor(pendingMax / processes)),
      sources,
      onDescriptors,
      portOffset: portOffset + at * portsEach,
    }
  })
  return success(shares)
}

/**
 * How many streams churn has closed some time after all were open.
 *
 * @param share of all streams, per second
 */
export function churnedCount(share: number, streams: number, elapsedMs: number): number {
  return Math.floor((share * streams * elapsedMs) / 1000)
}

/**
 * The delay before a stream that ended is tried again: half to one and a half times `baseMs`, so
 * that streams which were cut off together do not return together, and doubled after each failure.
 *
 * @param failures since it was last open
 * @param random from 0 to below 1
 */
export function reconnectDelayMs(baseMs: number, failures: number, random: number): number {
  const backoff = { firstMs: baseMs, maxMs: floodLimits.reconnectMsMax }
  return backoffMs(failures + 1, backoff) * (0.5 + random)
}

/** A URL template, before the name of its host is resolved. */
export type Template = Omit<Target, 'address'> & { readonly hostname: string }

/** Whose stream an address has: `{id}`, or a name with that in it; null if it does not say. */
export function userOf(template: string): string | null {
  const [, subject = ''] = /\/stream\/([^/?]*)/.exec(template) ?? []
  if (isName(subject.replaceAll('{id}', '1'))) return subject.includes('{id}') ? subject : null
  // Between other digits an id is only a part of the user's.
  return /(?<!\d)\{id\}(?!\d)/.test(template) ? '{id}' : null
}

/** Parses `http://host:port/path/{id}`, or https. */
export function parseTemplate(template: string): Result<Template> {
  // Not with the URL parser, which would escape the braces.
  const match =
    /^(http|ws)(s?):\/\/(\[[0-9a-f:.]+\]|[^/:?#@[\]\s]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/i.exec(
      template,
    )
  if (match === null) {
    return refused('it must look like http://127.0.0.1:8000/test/{id}')
  }
  const [, protocol = '', secure = '', hostText = '', portGiven, pathTemplate = '/'] = match
  const portText = portGiven ?? (secure === '' ? '80' : '443')
  const port = Number(portText)
  if (port < 1 || port > PORT_MAX) return refused(`${port} is not a port`)
  const hostname = hostText.replace(/^\[|\]$/g, '')
  const serverName = parseIp(hostname) === undefined ? hostname : null
  const value: Template = {
    protocol: protocol.toLowerCase() === 'ws' ? 'ws' : 'http',
    hostname,
    port,
    host: `${hostText}:${port}`,
    pathTemplate,
    ...(secure === '' ? {} : { tls: { serverName, insecure: false, ca: null } }),
  }
  return success(value)
}
