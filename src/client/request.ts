// A request of a command to a server: sent past all proxies, and answered with a response or with
// what to tell the person who typed the command.

import { fetchTarget, nothingListens } from '../core/address.ts'
import { readWithin } from '../core/bounded-read.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOf } from '../core/system-error.ts'
import { clientLimits } from '../core/tool-limits.ts'

export async function request(
  url: string,
  path: string,
  init: BunFetchRequestInit,
): Promise<Result<Response>> {
  const { base, ...socket } = fetchTarget(url)
  try {
    // Not by a proxy that the environment names, which would answer for itself.
    const options = { ...init, redirect: 'manual' as const, proxy: false as const, ...socket }
    return success(await fetch(`${base}${path}`, options))
  } catch (error) {
    if (nothingListens(error)) return refused(`nothing listens at ${url}`)
    return notAnswered(url, error)
  }
}

function notAnswered(url: string, error: unknown): Result<never> {
  if (!(error instanceof Error)) throw error
  return refused(`${url} does not answer (${codeOf(error) ?? error.name})`)
}

/** The body of an answer to one message. */
export async function wholeAnswer(url: string, { body }: Response): Promise<Result<string>> {
  try {
    const bytes = await readWithin(body, clientLimits.answerBytesMax)
    if (bytes === null) return refused(`${url} answers with more than comet does`)
    return success(bytes.toString('utf8'))
  } catch (error) {
    return notAnswered(url, error)
  }
}

/** The first line of an answer, and no more of it than fits a message. */
export async function firstLine(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const part of response.body ?? []) {
      text += decoder.decode(part, { stream: true })
      if (text.length > clientLimits.shownLengthMax) break
    }
  } catch (error) {
    // The connection was lost; what has come is shown.
    if (!(error instanceof Error)) throw error
  }
  return text.split('\n', 1)[0]?.slice(0, clientLimits.shownLengthMax) ?? ''
}
