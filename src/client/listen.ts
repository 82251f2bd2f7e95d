// Runs `comet listen`: a user's stream, a message a line.

import { EXIT, type Run } from '../cli/command.ts'
import { type Io, signalExitCode } from '../cli/io.ts'
import { PUBLIC_URL } from '../core/address.ts'
import { parseObject, rawField } from '../core/json.ts'
import { type Result, refused, success } from '../core/result.ts'
import { clientLimits } from '../core/tool-limits.ts'
import { readSmallFile } from '../os/file.ts'
import type { LISTEN } from './command.ts'
import { firstLine, request } from './request.ts'

export const listen: Run<typeof LISTEN> = async (values, io, user) => {
  const fail = (why: string, exitCode: number): number => {
    io.stderr(`comet listen: ${why}`)
    return exitCode
  }
  const token = tokenOf(values['token-file'])
  if (!token.ok) return fail(`the token file ${token.why}`, EXIT.usage)
  if (user === '' && token.value === null) return fail('give a user, or --token-file', EXIT.usage)
  const url = values.url ?? PUBLIC_URL
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    return fail(`${url} is not an address like ${PUBLIC_URL}`, EXIT.usage)
  }
  const place = user === '' ? '/stream' : `/stream/${encodeURIComponent(user)}`
  const { subjects } = values
  const path = subjects.length === 0 ? place : `${place}?subjects=${subjects.join()}`
  const abort = new AbortController()
  const headers = token.value === null ? {} : { authorization: `Bearer ${token.value}` }
  // A stream may be silent for longer than Bun waits for an answer.
  const opened = await request(url, path, { headers, signal: abort.signal, timeout: false })
  if (!opened.ok) return fail(opened.why, EXIT.unavailable)
  const response = opened.value
  if (response.status !== 200) {
    return fail(
      `${url}${path} answered ${response.status}, ${await firstLine(response)}`,
      EXIT.failed,
    )
  }
  const stopped = io.nextSignal().then((signal) => signalExitCode(signal))
  const followed = follow(response, values.json ? asItIs : bodyOf, values.count, io)
  const exitCode = await Promise.race([stopped, followed])
  abort.abort()
  return exitCode
}

function tokenOf(path: string | null): Result<string | null> {
  if (path === null) return success(null)
  const file = readSmallFile(path)
  if (!file.ok) return refused(`${path} ${file.why}`)
  const token = file.value.text.trim()
  return /^[!-~]+$/.test(token) ? success(token) : refused(`${path} has no token in one line`)
}

/** Prints messages until there were `count` of them; the end of the stream before is a failure. */
async function follow(
  response: Response,
  print: (line: string) => string | null,
  count: number | null,
  io: Io,
): Promise<number> {
  const decoder = new TextDecoder()
  let rest = ''
  let seen = 0
  try {
    for await (const part of response.body ?? []) {
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const end = endOf(line)
        if (end !== null) {
          io.stderr(`comet listen: the server has ended the stream: ${end}`)
          return EXIT.failed
        }
        // An empty line only keeps the connection alive.
        if (line === '') continue
        const text = print(line)
        if (text === null) {
          io.stderr('comet listen: the server sent a line that is no message')
          return EXIT.failed
        }
        io.stdout(text)
        if (++seen === count) return EXIT.ok
      }
      if (rest.length > clientLimits.lineLengthMax) {
        io.stderr('comet listen: the server sent a line that is too long for a message')
        return EXIT.failed
      }
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    io.stderr(`comet listen: the connection was lost (${error.name})`)
    return EXIT.failed
  }
  io.stderr('comet listen: the server has ended the stream')
  return EXIT.failed
}

function asItIs(line: string): string {
  return line
}

/** Why the stream ends, if the line says that; else null. */
function endOf(line: string): string | null {
  if (!line.startsWith('{"end":')) return null
  const { end, note } = parseObject(line) ?? {}
  return note === undefined ? String(end) : `${String(end)}, ${String(note)}`
}

/** The body, or the data as it was published; null for what is no message. */
function bodyOf(line: string): string | null {
  const message = parseObject(line) ?? {}
  if (typeof message['body'] === 'string') return message['body']
  return 'data' in message ? rawField(line, 'data') : null
}
