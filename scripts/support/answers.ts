// Reads the answers of a connection from all that has come of it, as RFC 9112 says. It shares no
// code with comet.

export interface RawAnswer {
  readonly status: number
  /** By names in lower case; fields of the same name are joined by a comma. */
  readonly fields: ReadonlyMap<string, string>
  /** As Latin-1, so that each byte is one character. */
  readonly body: string
  /** Informational responses before it. */
  readonly interim: readonly number[]
  /** Does the end of the connection end it? */
  readonly isUntilClose: boolean
}

/**
 * The answers that have come whole, and what follows them.
 *
 * @param methods of the requests: the answer to a HEAD has no body; GET by default
 */
export function answersIn(
  text: string,
  methods: readonly string[] = [],
): { answers: RawAnswer[]; rest: string } {
  const answers: RawAnswer[] = []
  let interim: number[] = []
  let rest = text
  while (true) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return { answers, rest }
    const [line = '', ...lines] = rest.slice(0, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(line)?.[1])
    if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(line)}`)
    const after = rest.slice(end + 4)
    if (status < 200) {
      interim.push(status)
      rest = after
      continue
    }
    const fields = fieldsOf(lines)
    const hasNone = methods[answers.length] === 'HEAD' || status === 204 || status === 304
    const body = hasNone ? { body: '', rest: after, isUntilClose: false } : bodyOf(fields, after)
    if (body === null) return { answers, rest }
    answers.push({ status, fields, body: body.body, interim, isUntilClose: body.isUntilClose })
    interim = []
    rest = body.rest
  }
}

function fieldsOf(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of lines) {
    const [, name = '', value = ''] = /^([\w!#$%&'*+.^`|~-]+): ([^\r\n\0]*)$/.exec(line) ?? []
    if (name === '') throw new Error(`no field: ${JSON.stringify(line)}`)
    const key = name.toLowerCase()
    const before = fields.get(key)
    fields.set(key, before === undefined ? value : `${before}, ${value}`)
  }
  return fields
}

type Body = { body: string; rest: string; isUntilClose: boolean }

/** Null while not all has come. */
function bodyOf(fields: ReadonlyMap<string, string>, text: string): Body | null {
  const length = fields.get('content-length')
  if (fields.get('transfer-encoding') === 'chunked') {
    if (length !== undefined) throw new Error('a length and chunks')
    return chunksOf(text)
  }
  if (length === undefined) return { body: text, rest: '', isUntilClose: true }
  if (!/^\d+$/.test(length)) throw new Error(`no length: ${length}`)
  const bytes = Number(length)
  if (text.length < bytes) return null
  return { body: text.slice(0, bytes), rest: text.slice(bytes), isUntilClose: false }
}

function chunksOf(text: string): Body | null {
  const parts: string[] = []
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const line = text.slice(at, lineEnd)
    if (!/^[0-9a-f]+$/.test(line)) throw new Error(`no chunk size: ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    const end = lineEnd + 2 + size
    if (text.length < end + 2) return null
    if (text.slice(end, end + 2) !== '\r\n') throw new Error('a chunk without an end')
    parts.push(text.slice(lineEnd + 2, end))
    at = end + 2
    if (size === 0) return { body: parts.join(''), rest: text.slice(at), isUntilClose: false }
  }
}
