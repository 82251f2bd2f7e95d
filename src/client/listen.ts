// Runs `comet listen`: a user's stream, a message a line. When the connection is lost it connects
// again, and goes on behind the last message.

import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT, type Run } from '../cli/command.ts'
import { type Io, signalExitCode } from '../cli/io.ts'
import type { Values } from '../cli/option.ts'
import { PUBLIC_URL } from '../core/address.ts'
import { isObject, rawField } from '../core/json.ts'
import { type Result, refused, success } from '../core/result.ts'
import { backoffMs, jitteredMs } from '../core/retry.ts'
import { clientLimits } from '../core/tool-limits.ts'
import { readSmallFile } from '../os/file.ts'
import type { LISTEN } from './command.ts'
import { firstLine, request } from './request.ts'
import { readStream, SilenceLimit, type StreamLine, type StreamOver } from './stream-reader.ts'

export const listen: Run<typeof LISTEN> = async (values, io, user) => {
  const fail = (why: string): number => {
    io.stderr(`comet listen: ${why}`)
    return EXIT.usage
  }
  const token = tokenOf(values['token-file'])
  if (!token.ok) return fail(token.why)
  if (user === '' && token.value === null) return fail('give a user, or --token-file')
  const url = values.url ?? PUBLIC_URL
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    return fail(`${url} is not an address like ${PUBLIC_URL}`)
  }
  const stopped = io.nextSignal().then((signal) => signalExitCode(signal))
  const listener = new Listener({ values, io, user, url, random: Math.random })
  const exitCode = await Promise.race([stopped, listener.run()])
  listener.stop()
  return exitCode
}

function tokenOf(path: string | null): Result<string | null> {
  if (path === null) return success(null)
  const file = readSmallFile(path)
  if (!file.ok) return refused(`the token file ${path} ${file.why}`)
  const token = file.value.text.trim()
  const isToken = /^[!-~]+$/.test(token)
  return isToken ? success(token) : refused(`the token file ${path} has no token in one line`)
}

/** Why a stream did not open: for now, or for good. */
interface NotOpened {
  readonly why: string
  readonly exitCode: number
  readonly isFinal: boolean
  /** How long the server asks to wait. */
  readonly waitMs: number
}

interface ListenerOptions {
  readonly values: Values<typeof LISTEN>
  readonly io: Io
  readonly user: string
  readonly url: string
  readonly random: () => number
}

class Listener {
  readonly #options: ListenerOptions
  readonly #silence = new SilenceLimit()
  /** Where the client is in the log; null before it was told. */
  #cursor: string | null = null
  #seen = 0
  /** Connections that failed in a row, and what was said of the last one. */
  #failures = 0
  #trouble: string | null = null
  /** Ends the connection, or the wait for the next one. */
  #cut = new AbortController()
  #isStopped = false

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** Answers with the exit code, once there were enough messages or no more will come. */
  async run(): Promise<number> {
    for (let isFirst = true; !this.#isStopped; isFirst = false) {
      this.#cut = new AbortController()
      const opened = await this.#open()
      const exitCode = opened.ok
        ? await this.#follow(opened.value)
        : this.#onRefused(opened.why, isFirst)
      this.#cut.abort()
      if (exitCode !== null) return exitCode
      if (!this.#isStopped) await this.#pause(opened.ok ? 0 : opened.why.waitMs)
    }
    return EXIT.ok
  }

  stop(): void {
    this.#isStopped = true
    this.#cut.abort()
  }

  /** Answers with the exit code; null if it is tried again. */
  #onRefused({ why, exitCode, isFinal }: NotOpened, isFirst: boolean): number | null {
    // A wrong command line is told at once.
    if (isFirst || isFinal) return this.#fail(why, exitCode)
    this.#onTrouble(`${why}; trying again`)
    return null
  }

  /** Said once, however often it happens in a row. */
  #onTrouble(text: string): void {
    if (text !== this.#trouble && !this.#isStopped) this.#say(text)
    this.#trouble = text
  }

  #say(text: string): void {
    this.#options.io.stderr(`comet listen: ${text}`)
  }

  #fail(why: string, exitCode: number = EXIT.failed): number {
    const cursor = this.#cursor
    this.#say(cursor === null ? why : `${why}; --after ${cursor} goes on from here`)
    return exitCode
  }

  async #pause(waitMs: number): Promise<void> {
    this.#cut = new AbortController()
    const { signal } = this.#cut
    const { retryMs: firstMs, retryMsMax: maxMs } = clientLimits
    const delayMs = backoffMs(++this.#failures, { firstMs, maxMs })
    const ms = waitMs + jitteredMs(delayMs, this.#options.random)
    await sleep(ms, undefined, { signal }).catch(() => undefined)
  }

  /** Where the stream is to begin: behind what has come, or as it was asked for. */
  get #path(): string {
    const { user, values } = this.#options
    const after = this.#cursor ?? values.after
    const query = [
      ...(values.subjects.length === 0 ? [] : [`subjects=${values.subjects.join()}`]),
      ...(after === null ? [] : [`after=${after}`]),
      ...(after === null && values.last !== null ? [`last=${values.last}`] : []),
    ]
    const place = user === '' ? '/stream' : `/stream/${encodeURIComponent(user)}`
    return query.length === 0 ? place : `${place}?${query.join('&')}`
  }

  async #open(): Promise<Result<Response, NotOpened>> {
    const cut = this.#cut
    const timer = setTimeout(() => cut.abort(), clientLimits.headMsMax)
    try {
      return await this.#ask(cut.signal)
    } finally {
      clearTimeout(timer)
    }
  }

  async #ask(signal: AbortSignal): Promise<Result<Response, NotOpened>> {
    const { url, values } = this.#options
    const not = (why: string, exitCode: number, isFinal: boolean, waitMs = 0) =>
      refused({ why, exitCode, isFinal, waitMs })
    // It may be another one by now.
    const token = tokenOf(values['token-file'])
    if (!token.ok) return not(token.why, EXIT.usage, false)
    const headers = token.value === null ? {} : { authorization: `Bearer ${token.value}` }
    // A stream may be silent for longer than Bun waits for an answer.
    const opened = await request(url, this.#path, { headers, signal, timeout: false })
    if (!opened.ok) return not(opened.why, EXIT.unavailable, false)
    const response = opened.value
    if (response.status === 200) return opened
    const { status } = response
    const why = `${url}${this.#path} answered ${status}, ${await firstLine(response)}`
    return not(why, EXIT.failed, status < 500 && status !== 429, waitMsOf(response))
  }

  /** Prints a stream to its end. Answers with the exit code; null if another one is to follow. */
  async #follow(response: Response): Promise<number | null> {
    if (this.#trouble !== null) this.#say('connected again')
    this.#trouble = null
    const sinceMs = performance.now()
    const take = (line: StreamLine) => this.#take(line)
    const over = await readStream(response, take, this.#silence, () => this.#cut.abort())
    if (over.kind === 'enough') return EXIT.ok
    if (over.kind === 'foreign') return this.#fail(`the server ${over.why}`)
    if (isForGood(over) || this.#options.values.once) return this.#fail(wordsOf(over))
    this.#onTrouble(`${wordsOf(over)}; connecting again`)
    if (performance.now() - sinceMs >= clientLimits.retryForgetMs) this.#failures = 0
    return null
  }

  #take({ text, fields }: StreamLine): 'more' | 'enough' | 'foreign' {
    const { io, values } = this.#options
    const { id, gap } = fields
    if (typeof id === 'string') this.#cursor = id
    if (isObject(gap)) {
      if (values.json) io.stdout(text)
      else this.#say(`messages were missed: ${gapWords(gap)}`)
      return 'more'
    }
    const isMessage = typeof fields['body'] === 'string' || 'data' in fields
    // Of a line without one, the id says where the stream is.
    if (!isMessage) return typeof id === 'string' ? 'more' : 'foreign'
    io.stdout(values.json ? text : bodyOf({ text, fields }))
    return ++this.#seen === values.count ? 'enough' : 'more'
  }
}

/** Does the server want nothing more of this client? */
function isForGood(over: StreamOver): boolean {
  return over.kind === 'ended' && over.reason !== 'drained' && over.reason !== 'expired'
}

function wordsOf(over: Extract<StreamOver, { kind: 'ended' | 'lost' }>): string {
  if (over.kind === 'lost') return `the connection was lost (${over.why})`
  const { reason, note } = over
  return `the server has ended the stream: ${reason}${note === null ? '' : `, ${note}`}`
}

const GAPS: Readonly<Record<string, string>> = {
  lost: 'they are no longer kept',
  too_many: 'they are more than are sent again',
  unknown: 'the server has another log',
}

function gapWords({ after, resume, reason }: Readonly<Record<string, unknown>>): string {
  return `${GAPS[String(reason)] ?? String(reason)} (gap from ${after} to ${resume})`
}

/** The body, or the data as it was published. */
function bodyOf({ text, fields }: StreamLine): string {
  const { body } = fields
  return typeof body === 'string' ? body : rawField(text, 'data')
}

/** How long a server asks clients to wait, in whole seconds (RFC 9110 section 10.2.3). */
function waitMsOf({ headers }: Response): number {
  const given = headers.get('retry-after') ?? ''
  if (!/^\d+$/.test(given)) return 0
  return Math.min(clientLimits.retryAfterMsMax, Number(given) * 1_000)
}
