// An address to listen on, as text and in parts: `127.0.0.1:8001`, `[::1]:8001`, `:8001`, `8001`.

export interface Address {
  readonly hostname: string
  /** 0 lets the system choose a free one. */
  readonly port: number
  /** The file of a Unix socket, which stands for both; its clients are on this machine. */
  readonly socketPath?: string
}

/**
 * Reads `unix:/path`, or what {@link parseAddress} reads; but a port alone is that of loopback, the only
 * place where a control port needs no token.
 */
export function parseControlAddress(text: string): Address | undefined {
  const socketPath = socketPathOf(text)
  if (socketPath !== undefined) return { hostname: 'localhost', port: 0, socketPath }
  return parseAddress(/^\s*\d+\s*$/.test(text) ? `127.0.0.1:${text.trim()}` : text)
}

/** The path in `unix:/path`; undefined if the text is something else. The kernel takes no longer one. */
export function socketPathOf(text: string): string | undefined {
  const path = /^unix:(?:\/\/(?=\/))?(\/.*[^/])$/.exec(text.trim())?.[1]
  return path !== undefined && Buffer.byteLength(path) <= 107 ? path : undefined
}

/** Reads `host:port`; a port alone is that of every IPv4 address. Undefined if it is no such text. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/i.exec(text.trim())
  if (match === null) return undefined
  const port = Number(match[3])
  if (port > 65_535) return undefined
  return { hostname: match[1] ?? (match[2] || '0.0.0.0'), port }
}

/** Is the address reachable from this machine alone? */
export function isLoopback({ hostname }: Address): boolean {
  return hostname === 'localhost' || hostname === '::1' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

/** The URL of an address, or `unix:/path`; an IPv6 one gets its brackets back. */
export function httpUrl(address: Address, scheme: 'http' | 'https' = 'http'): string {
  const { hostname, port, socketPath } = address
  if (socketPath !== undefined) return `unix:${socketPath}`
  return `${scheme}://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
}

/** An address that stands for all of them cannot be connected to everywhere. */
export function reachable(address: Address): Address {
  const { hostname, port, socketPath } = address
  if (socketPath !== undefined) return address
  if (hostname === '0.0.0.0') return { hostname: '127.0.0.1', port }
  return hostname === '::' ? { hostname: '::1', port } : { hostname, port }
}

/**
 * The URL that `127.0.0.1:8000`, `:8000` or `8000` stands for, with a path behind it or not; any other
 * text is left as it is.
 *
 * @param path of a text that has none
 */
export function urlOf(text: string, path = ''): string {
  const [, where = '', given = path] = /^([^/]*)(\/.*)?$/s.exec(text) ?? []
  const address = parseAddress(where)
  return address === undefined ? text : httpUrl(reachable(address)) + given
}

/** An IPv4 address as a number, the first part highest; undefined if the text is none. */
export function ipv4Number(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

/** The text of {@link ipv4Number}'s number. */
export function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

/** How Bun tells of a port that nobody has, and of a socket that is not there. */
const ABSENT: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ConnectionRefused', 'ENOENT'])

/** Did a connection fail since nothing listens where it was to go? */
export function nothingListens(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ABSENT.has(error.code)
}
