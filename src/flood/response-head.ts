// The head of an HTTP/1.1 response: its status, how its body ends, and its fields.

/**
 * What marks the end of the body (RFC 9112 section 6.3): the last chunk, a length, or the close.
 */
export type Transfer = 'chunked' | 'length' | 'until-close'

/** The parts of a response's head that decide how its body is read. */
export interface ResponseHead {
  readonly status: number
  readonly transfer: Transfer
  /** Bytes of the body, where its length marks its end; infinite for what is no number. */
  readonly length: number
  /** In lower case and without parameters, like `text/event-stream`; empty if there is none. */
  readonly mediaType: string
  /** The whole head, for fields that few have; see {@link fieldOf}. */
  readonly text: string
}

/** Null if it is not a head of HTTP/1.0 or 1.1. */
export function parseHead(text: string): ResponseHead | null {
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r|$)/.exec(text)?.[1]
  if (status === undefined) return null
  const mediaType = fieldOf(text, 'content-type')?.split(/[\s;]/, 1)[0]?.toLowerCase() ?? ''
  // RFC 9112 section 6.3: what follows a 101 has no framing of HTTP.
  const hasNoBody = status === '204' || status === '304'
  const transfer = status === '101' ? 'until-close' : hasNoBody ? 'length' : transferOf(text)
  const digits = hasNoBody ? '0' : (fieldOf(text, 'content-length') ?? '0')
  const length = /^\d+$/.test(digits) ? Number(digits) : Number.POSITIVE_INFINITY
  return { status: Number(status), transfer, length, mediaType, text }
}

/** The value of a field of a head; undefined if it has none of that name, in whatever case. */
export function fieldOf(head: string, name: string): string | undefined {
  return new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*\\r?$`, 'im').exec(head)?.[1]
}

function transferOf(head: string): Transfer {
  if (/^transfer-encoding:(?:.*,)?[ \t]*chunked[ \t]*\r?$/im.test(head)) return 'chunked'
  // With any other transfer coding the body ends with the connection, whatever length it claims.
  if (/^transfer-encoding:/im.test(head)) return 'until-close'
  return /^content-length:/im.test(head) ? 'length' : 'until-close'
}
