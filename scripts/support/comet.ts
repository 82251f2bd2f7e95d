// Runs the executable as a user would: starts and stops servers, asks their control port, runs
// commands to their end. For the demo and the end-to-end tests.

import type { Stats } from '../../src/control/stats.ts'
import { withTimeout } from '../../src/core/deadline.ts'
import { codeOf } from '../../src/core/system-error.ts'
import type { Subject } from '../../src/core/user.ts'
import { CLOSES, REFUSALS, zeroCounts } from '../../src/hub/refusals.ts'
import { type ChildOptions, ChildProcess, type Finished, waitFor } from './child-process.ts'

/** The executable that is driven. */
export const COMET = `${import.meta.dir}/../../dist/comet`

/** Milliseconds for a command that is run to its end: shorter than what a test may take, whose own
 * time limit says less. */
const RUN_MS_MAX = 80_000
/** Milliseconds for an answer; the longest are to requests of 57 MiB. */
const ANSWER_MS_MAX = 60_000

export interface RunOptions extends ChildOptions {
  /** Run under this open-files limit. */
  readonly openFiles?: number
  /** The network namespace that it runs in, of ip-netns(8). */
  readonly network?: string
  /** Another executable than that of this build. */
  readonly program?: string
}

/** Starts the executable with these arguments; it is killed at the end of the scope. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  return new ChildProcess(commandOf(args, options), { name: `comet ${args[0] ?? ''}`, ...options })
}

function commandOf(args: readonly string[], options: RunOptions): string[] {
  const { openFiles, network, program = COMET } = options
  const within = network === undefined ? [] : ['ip', 'netns', 'exec', network]
  const limit = ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`]
  return [...within, ...(openFiles === undefined ? [] : limit), program, ...args]
}

/** Runs the executable to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  await using running = start(args, { timeoutMs: RUN_MS_MAX, ...options })
  return await running.finished
}

/** Nothing was refused. */
export const NONE_REFUSED = zeroCounts(REFUSALS)

/** No stream has ended, nor was lost with its worker. */
export const NONE_CLOSED = { ...zeroCounts(CLOSES), lost: 0 } as const

/** What tests give, unless they name another; the database is not kept. */
const SERVE_DEFAULTS = [
  ['--listen', '127.0.0.1:0'],
  ['--control', '127.0.0.1:0'],
  ['--db', ':memory:'],
] as const

/** Tests that keep a database name it; the others leave nothing behind. */
export const NO_FILE = ['--db', ':memory:']

/** A `comet serve` that listens. */
export class CometServer extends ChildProcess {
  /** One for each address of the public port; the first is `publicUrl`. */
  publicUrls: readonly string[] = []
  controlUrl = ''

  get publicUrl(): string {
    return this.publicUrls[0] ?? ''
  }

  get publicPort(): number {
    return Number(new URL(this.publicUrl).port)
  }

  get controlPort(): number {
    return Number(new URL(this.controlUrl).port)
  }

  /** Waits until both ports are open. */
  async listening(ms?: number): Promise<this> {
    const line = await waitFor(
      'the server to listen',
      () => {
        if (this.hasExited) throw new Error(`comet serve exited: ${this.stderr}`)
        return this.stderr.match(/^.*"event":"listening".*$/m)?.[0]
      },
      ms,
    )
    const { public: urls = '', control = '' } = JSON.parse(line) as Record<string, string>
    this.publicUrls = urls.split(' ')
    this.controlUrl = control
    return this
  }

  /** Asks its control port. */
  ask(path: string, request?: RequestInit): Promise<Response> {
    return ask(this.controlUrl, path, request)
  }

  async stats(): Promise<Stats> {
    return (await (await this.ask('/stats')).json()) as Stats
  }

  /** Waits until exactly so many streams are open. */
  async open(count: number, ms?: number): Promise<void> {
    const look = async () => (await this.stats()).streams.open === count
    await waitFor(`${count} open streams`, look, ms)
  }

  /** The status that a HEAD request for a user's stream gets on a connection of its own. */
  async headStatus(user: number): Promise<number> {
    const request = { method: 'HEAD', keepalive: false }
    return (await ask(this.publicUrl, `/test/${user}`, request)).status
  }

  /** Sends one message; the number of connections that it was delivered to. */
  async publish(message: object): Promise<number> {
    const response = await this.ask('/messages', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
    })
    if (!response.ok) throw new Error(`publishing failed: ${await response.text()}`)
    return ((await response.json()) as { delivered: number }).delivered
  }

  /** The same for a result that is awaited later, and may fail before. */
  publishLater(message: object): Promise<number> {
    const published = this.publish(message)
    published.catch(() => undefined)
    return published
  }

  /** Lets a user follow a subject, or with `DELETE` no longer; throws if it is refused. */
  async changeFollow(method: 'PUT' | 'DELETE', user: Subject, subject: Subject): Promise<void> {
    const response = await this.ask(`/users/${user}/subscriptions/${subject}`, { method })
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
  }

  /** Lines of its log with this event. */
  timesLogged(event: string): number {
    return this.stderr.split(`"event":"${event}"`).length - 1
  }
}

/** Starts `comet serve` on free ports and waits until both are open. */
export async function serve(
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<CometServer> {
  const defaults = SERVE_DEFAULTS.filter(([name]) => !args.includes(name))
  const command = commandOf(['serve', ...defaults.flat(), ...args], options)
  const server = new CometServer(command, { name: 'comet serve', ...options })
  try {
    return await server.listening()
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
}

/** Asks a control port, which may be a Unix socket; answers once the body is there, too. */
export function ask(controlUrl: string, path: string, request: RequestInit = {}) {
  const [, unix] = /^unix:(.+)$/.exec(controlUrl) ?? []
  const answer = async () => {
    const response =
      unix === undefined
        ? await fetch(controlUrl + path, request)
        : await fetch(`http://localhost${path}`, { ...request, unix })
    const body = await response.bytes()
    return new Response(body.length === 0 ? null : body, response)
  }
  return withTimeout(`an answer to ${path}`, answer(), ANSWER_MS_MAX)
}

/**
 * A port that was just free on all addresses, above those that the kernel and floods take for the
 * connections of other tests.
 */
export function freePort(): number {
  for (let tries = 0; tries < 100; tries++) {
    const port = 61_000 + Math.floor(Math.random() * 4_500)
    try {
      using _ = Bun.listen({ hostname: '0.0.0.0', port, socket: { data: () => undefined } })
      return port
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE') throw error
    }
  }
  throw new Error('100 ports above those of connections are in use')
}
