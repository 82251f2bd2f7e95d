// What `comet health` does: asks a server, and says what is wrong with its answer.

import { EXIT, type Run, type SettledFor } from '../cli/command.ts'
import {
  type Address,
  httpUrl,
  nothingListens,
  reachable,
  socketPathOf,
  urlOf,
} from '../core/address.ts'
import { healthLimits } from '../core/tool-limits.ts'
import { CONTROL, type OPTIONS } from './health-command.ts'

export const run: Run<typeof OPTIONS> = async ({ ready }, io, given, { of }) => {
  const control = given === '' ? controlHere(of('serve', 'control')) : originOf(given)
  if (typeof control !== 'string') {
    io.stderr(`comet health: ${control.why}`)
    return EXIT.usage
  }
  const [path, wanted] = ready ? ['/readyz', 'ready'] : ['/livez', 'alive']
  const why = await complaint(control, path, wanted)
  if (why === null) return EXIT.ok
  io.stderr(`comet health: ${why}`)
  return EXIT.failed
}

interface NoUrl {
  readonly why: string
}

/** Where a server with this `--control` is, seen from its own machine. */
function controlHere(settled: SettledFor): string | NoUrl {
  if (!settled.ok) return { why: settled.why.join('; ') }
  // It was read by its own declaration.
  return httpUrl(reachable(settled.settings['control']?.value as Address))
}

function originOf(text: string): string | NoUrl {
  const path = socketPathOf(text)
  if (path !== undefined) return `unix:${path}`
  const url = URL.parse(urlOf(text))
  const isPlain = url?.protocol === 'http:' && url.pathname === '/' && url.search === ''
  return isPlain ? url.origin : { why: `it takes a URL like http://${CONTROL}; ${text} is none` }
}

/** Misdirected Request (RFC 9110 section 15.5.20). */
const MISDIRECTED = 421

/** What is wrong with the server at the URL; null if it answers that it is as wanted. */
async function complaint(control: string, path: string, wanted: string): Promise<string | null> {
  const unix = socketPathOf(control)
  const url = unix === undefined ? `${control}${path}` : `http://localhost${path}`
  const signal = AbortSignal.timeout(healthLimits.answerMs)
  try {
    // Never by a proxy that the environment names: it would answer for itself.
    const response = await fetch(url, {
      signal,
      redirect: 'manual',
      proxy: false,
      ...(unix && { unix }),
    })
    const status = statusIn(await beginningOf(response))
    if (response.status === 200 && status === wanted) return null
    if (response.status === MISDIRECTED) {
      return `${control} is not known by that name; start comet with --control-host`
    }
    return `${control}${path} answered ${response.status}, ${status ?? 'not as comet does'}`
  } catch (error) {
    if (signal.aborted) return `${control}${path} has not answered for ${healthLimits.answerMs} ms`
    if (!(error instanceof Error && 'code' in error)) throw error
    if (nothingListens(error)) return `nothing listens at ${control}`
    return `${control}${path} does not answer (${error.code})`
  }
}

/** The `status` of an answer; undefined if there is none that can be printed. */
function statusIn(text: string): string | undefined {
  return /^\{"status":"([a-z ]+)"[,}]/.exec(text)?.[1]
}

/** As much of a body as an answer of comet can be; the rest is not waited for. */
async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true })
    if (text.length > healthLimits.answerLengthMax) break
  }
  return text
}
