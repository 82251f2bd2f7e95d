// Runs `comet publish`: one message to the control port.

import { isUtf8 } from 'node:buffer'
import { EXIT, type Run } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { readToken, TOKEN_OPTION } from '../cli/secret.ts'
import { readStandardInput } from '../cli/standard-input.ts'
import { CONTROL_URL, isControlUrl } from '../core/address.ts'
import { parseJson, parseObject } from '../core/json.ts'
import { messageLimits } from '../core/limits.ts'
import { isSubject } from '../core/name.ts'
import { type Result, refused, success } from '../core/result.ts'
import { clientLimits } from '../core/tool-limits.ts'
import type { PUBLISH } from './command.ts'
import { request, wholeAnswer } from './request.ts'

export const publish: Run<typeof PUBLISH> = async (values, io, target, _, words) => {
  const refuse = (why: string): number => {
    io.stderr(`comet publish: ${why}`)
    return EXIT.usage
  }
  const { control, subject: isAbout, data: isJson, event, key } = values
  if (!isSubject(target)) return refuse('give a user, like 123 or alice, and the text')
  const url = control ?? CONTROL_URL
  if (!isControlUrl(url)) return refuse(`${url} is not an address like ${CONTROL_URL}`)
  const token = readToken(values[TOKEN_OPTION])
  if (!token.ok) return refuse(token.why)
  const text = words.length > 0 ? success(words.join(' ')) : await textOfInput()
  if (!text.ok) return refuse(text.why)
  const body = isJson ? dataOf(text.value) : success(`"body":${JSON.stringify(text.value)}`)
  if (!body.ok) return refuse(body.why)
  const eventField = event === null ? '' : `"event":"${event}",`
  const keyField = key === null ? '' : `"key":${JSON.stringify(key)},`
  const fields = `${eventField}${keyField}${body.value}`
  const message = `{"${isAbout ? 'subject' : 'to'}":"${target}",${fields}}`
  return await send(url, token.value.token, message, values.json, io)
}

/** As it was typed: what it says is the server's to judge. */
function dataOf(text: string): Result<string> {
  const parsed = parseJson(text)
  return parsed.ok ? success(`"data":${text}`) : refused(`the text is no JSON: ${parsed.why}`)
}

/** One line end at its end is the shell's. */
async function textOfInput(): Promise<Result<string>> {
  // The server names the bound of what is a little too long.
  const read = await readStandardInput(2 * messageLimits.bodyBytesMax)
  if (!read.ok) return read
  if (!isUtf8(read.value)) return refused('standard input is not UTF-8')
  return success(read.value.toString('utf8').replace(/\r?\n$/, ''))
}

async function send(
  url: string,
  token: string | null,
  message: string,
  isJson: boolean,
  io: Io,
): Promise<number> {
  const answered = await request(url, '/messages', {
    method: 'POST',
    body: message,
    signal: AbortSignal.timeout(clientLimits.answerMsMax),
    headers: {
      'content-type': 'application/json',
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
  })
  if (!answered.ok) {
    io.stderr(`comet publish: ${answered.why}`)
    return EXIT.unavailable
  }
  const answer = await wholeAnswer(url, answered.value)
  if (!answer.ok) {
    io.stderr(`comet publish: ${answer.why}`)
    return EXIT.unavailable
  }
  const { delivered, restored, error }: Answer = parseObject(answer.value) ?? {}
  if (answered.value.status !== 200 || delivered === undefined) {
    io.stderr(`comet publish: ${error?.message ?? `${url} answered ${answered.value.status}`}`)
    return EXIT.failed
  }
  const line =
    restored === true ? 'published before the server was started' : `${delivered} delivered`
  io.stdout(isJson ? answer.value : line)
  return EXIT.ok
}

interface Answer {
  readonly delivered?: number
  readonly restored?: boolean
  readonly error?: { readonly message?: string }
}
