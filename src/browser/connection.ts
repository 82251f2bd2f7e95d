// One connection in each format: opens it, and gives what comes as records, which are the same in
// all of them. Each function settles only when the connection is over, and rejects with the reason.

import { CometError, type CometFormat, type CometGap, type CometMessage } from './api.ts'
import { LINE_LENGTH_MAX, POLL_MS_MIN } from './limits.ts'

/** What comes: a place in the log, and what is to be told there. */
export interface StreamRecord extends Partial<CometMessage> {
  readonly gap?: CometGap
  readonly end?: 'expired' | 'drained' | 'ended'
  readonly note?: string
  readonly subscribed?: readonly string[]
  readonly unsubscribed?: readonly string[]
  readonly error?: { readonly code: string; readonly message: string }
}

export type StreamQuery = Readonly<Record<string, string | number | null | undefined>>

/** The address of the stream with this query besides its own. */
export type StreamAddress = (query: StreamQuery) => Promise<string>

/** Called with what comes, and without a record for a sign that is none. */
export type OnRecord = (record?: StreamRecord | '') => void

/** Headers, and the signal that ends the connection. */
export type FetchRequest = RequestInit & { readonly signal: AbortSignal }

export async function openWebSocket(
  address: StreamAddress,
  { signal }: FetchRequest,
  onRecord: OnRecord,
  onSocket: (socket: WebSocket) => void,
): Promise<never> {
  const url = await address({ format: 'websocket' })
  signal.throwIfAborted()
  const socket = new WebSocket(url.replace('http', 'ws'))
  return new Promise((_, reject) => {
    signal.onabort = () => reject(socket.close())
    socket.onclose = ({ code }) => reject(Error(`closed with ${code}`))
    socket.onmessage = ({ data }) => {
      try {
        onSocket(socket)
        onRecord(JSON.parse(data))
      } catch (error) {
        reject(error)
      }
    }
  })
}
/**
 * Server-sent events or JSON lines. By `fetch`, not EventSource, which sends no token, does not say
 * what the server answered, hides heartbeats, and has its own mind when to come back.
 */
export async function openLines(
  address: StreamAddress,
  request: FetchRequest,
  onRecord: OnRecord,
  format: CometFormat,
): Promise<never> {
  const { body } = await ask(
    await address({ format, envelope: format === 'sse' ? 'json' : '' }),
    request,
  )
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  const take = lineReader(onRecord)
  for (let text = ''; ; ) {
    const chunk = await reader?.read()
    if (!chunk?.value) throw Error('ended')
    onRecord()
    const lines = (text + decoder.decode(chunk.value, { stream: true })).split('\n')
    text = lines.pop() ?? ''
    if (text.length > LINE_LENGTH_MAX) throw Error('too long')
    lines.forEach(take)
  }
}

/**
 * Takes JSON lines, and server-sent events, of which each is the lines before an empty one (HTML
 * standard, section 9.2.6); their JSON is one line.
 */
export function lineReader(onRecord: OnRecord): (line: string) => void {
  let fields: Record<string, string> = {}
  return (line) => {
    const at = line.indexOf(':')
    if (line[0] === '{') onRecord(JSON.parse(line))
    else if (line) fields[line.slice(0, at)] = line.slice(at + 2)
    else {
      const { id, event, data } = fields
      fields = {}
      const record = data ? JSON.parse(data) : id && { id }
      onRecord(event === 'gap' ? { gap: record } : record)
    }
  }
}

/** The header that says where the next poll begins. */
const NEXT = 'stream-next-offset'

/** Long polls: the read side of the Durable Streams protocol, in its JSON mode. */
export async function openPolls(
  address: StreamAddress,
  request: FetchRequest,
  onRecord: OnRecord,
  place: () => string | undefined,
): Promise<never> {
  let cursor: string | null = null
  // The first one is answered at once: it shows that polls work, and where we are.
  for (let live: string | undefined; ; live = 'long-poll') {
    const askedMs = Date.now()
    const after = place() ?? 'now'
    const offset = after === 'oldest' ? '-1' : after
    const query = { after: null, last: null, offset, live, cursor }
    const response = await ask(await address(query), request)
    const { status, headers } = response
    cursor = headers.get('stream-cursor')
    const body = status === 204 ? [] : await response.json()
    const { gap } = body as StreamRecord
    const records = gap ? [{ gap }] : (body as StreamRecord[])
    if (live && !records[0] && Date.now() - askedMs < POLL_MS_MIN) throw Error('no wait')
    for (const record of records) onRecord(record)
    onRecord({ id: headers.get(NEXT) ?? after })
  }
}

/** @throws CometError if it was answered otherwise, or not at all */
async function ask(url: string, request: FetchRequest): Promise<Response> {
  const response = await fetch(url, request).catch((error) => {
    throw new CometError(String(error))
  })
  const { ok, status, headers } = response
  if (ok || headers.has(NEXT)) return response
  const [text] = (await response.text()).split('\n')
  throw new CometError(
    text || `The server answered with ${status}`,
    status,
    Number(headers.get('retry-after')) || 0,
  )
}

export function withQuery(address: URL, query: StreamQuery): string {
  const url = new URL(address)
  for (const [name, value] of Object.entries(query)) {
    if (value) url.searchParams.set(name, String(value))
  }
  return url.href
}

/** What the application gets; it may fail for now, as the server may. */
export async function got<T>(get: () => T | Promise<T>): Promise<T> {
  try {
    return await get()
  } catch (error) {
    throw new CometError(String(error))
  }
}
