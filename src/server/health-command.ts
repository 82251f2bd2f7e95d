// `comet health`: asks a server whether it is healthy, for those who run it where there is no curl,
// like in a container.

import { command, EXIT, type Run } from '../cli/command.ts'
import { flag } from '../cli/option.ts'
import type { Resolution } from '../cli/option-sources.ts'
import {
  type Address,
  fetchTarget,
  httpUrl,
  isControlUrl,
  nothingListens,
  reachable,
  socketPathOf,
  urlOf,
} from '../core/address.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { codeOrThrow } from '../core/system-error.ts'
import { healthLimits } from '../core/tool-limits.ts'
import { OPTIONS as SERVE_OPTIONS } from './command.ts'

const CONTROL = SERVE_OPTIONS.control.fallback

const OPTIONS = {
  ready: flag('ask whether it takes new streams, not only whether it is alive'),
} as const

export const health = command({
  name: 'health',
  purpose: 'Operation',
  summary: 'ask a server whether it is alive, or whether it takes streams; exit 0 if so',
  argument: {
    name: 'url',
    description: `its control port (default: where comet serve would open it, http://${CONTROL})`,
    fallback: null,
  },
  options: OPTIONS,
  examples: [
    'comet health',
    'comet health --ready',
    'comet health http://127.0.0.1:8001 --ready && echo go ahead',
  ],
  load: async () => ({ run }),
})

const run: Run<typeof OPTIONS> = async ({ ready }, io, given, { of }) => {
  const serve = { path: ['serve'], options: { control: SERVE_OPTIONS.control } }
  const control = given === '' ? controlHere(of(serve)) : originOf(given)
  if (!control.ok) {
    io.stderr(`comet health: ${control.why}`)
    return EXIT.usage
  }
  const [path, wanted] = ready ? ['/readyz', 'ready'] : ['/livez', 'alive']
  const health = await checkHealth(control.value, path, wanted)
  if (health.ok) return EXIT.ok
  io.stderr(`comet health: ${health.why}`)
  return EXIT.failed
}

/** Where a server with this `--control` is, seen from its own machine. */
function controlHere(resolution: Resolution): Result<string> {
  if (!resolution.ok) return refused(resolution.why.join('; '))
  // It was parsed by its own declaration.
  const address = resolution.value['control']?.value as Address
  return success(httpUrl(reachable(address)))
}

function originOf(text: string): Result<string> {
  const socketPath = socketPathOf(text)
  if (socketPath !== undefined) return success(`unix:${socketPath}`)
  const url = urlOf(text)
  if (isControlUrl(url)) {
    const { origin, pathname, search } = new URL(url)
    if (pathname === '/' && search === '') return success(origin)
  }
  return refused(`expected a URL like http://${CONTROL}, not ${text}`)
}

/** Misdirected Request (RFC 9110 section 15.5.20). */
const MISDIRECTED = 421

/** Does the server at the URL answer as wanted? */
async function checkHealth(control: string, path: string, wanted: string): Promise<Result<void>> {
  const { base, ...socket } = fetchTarget(control)
  const signal = AbortSignal.timeout(healthLimits.answerMs)
  try {
    // Not by a proxy that the environment names, which would answer for itself.
    const response = await fetch(`${base}${path}`, {
      signal,
      redirect: 'manual',
      proxy: false,
      ...socket,
    })
    const status = statusIn(await beginningOf(response))
    if (response.status === 200 && status === wanted) return OK
    if (response.status === MISDIRECTED) {
      return refused(
        `${control} is not a name of the control port; start comet with --control-host`,
      )
    }
    const answer = `${response.status}, ${status ?? 'which is not from comet'}`
    return refused(`${control}${path} answered ${answer}`)
  } catch (error) {
    if (signal.aborted) {
      return refused(`${control}${path} has not answered for ${healthLimits.answerMs} ms`)
    }
    const code = codeOrThrow(error)
    if (nothingListens(error)) return refused(`nothing listens at ${control}`)
    return refused(`${control}${path} does not answer (${code})`)
  }
}

/** The `status` in a body; undefined if there is none that can be printed. */
function statusIn(text: string): string | undefined {
  return /^\{"status":"([a-z ]+)"[,}]/.exec(text)?.[1]
}

/** As much of a body as comet's answer can be; the rest is not read. */
async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true })
    if (text.length > healthLimits.answerLengthMax) break
  }
  return text
}
