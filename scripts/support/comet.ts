// Runs the executable as a user would: starts and stops servers, runs commands to their end, waits
// for conditions, and for none of them without an end. For the demo and the end-to-end tests.

import { withTimeout } from '../../src/core/deadline.ts'

/** The executable that is driven. */
export const COMET = `${import.meta.dir}/../../dist/comet`

/** Milliseconds that a command may run, unless more is asked for: no test takes as long. */
const COMMAND_MS_MAX = 600_000
/** The same for one that is run to its end: shorter than what a test may take, which says less. */
const RUN_MS_MAX = 80_000
/** Milliseconds for the output of a command that has ended: its children may hold it. */
const OUTPUT_MS_MAX = 10_000
/** Milliseconds for an answer of the control port. */
const ANSWER_MS_MAX = 30_000
/** Milliseconds for one look at a condition, however few of the wait are left. */
const LOOK_MS_MIN = 1_000

/** What a command left behind. */
export interface Finished {
  readonly exitCode: number
  readonly out: string
  readonly words: string
}

/** A command under way. */
export interface Running extends AsyncDisposable {
  readonly process: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
  /** What it has written to standard error so far. */
  words(): string
  readonly finished: Promise<Finished>
}

export interface RunOptions {
  readonly env?: Record<string, string>
  readonly cwd?: string
  /** Run under this open-files limit. */
  readonly openFiles?: number
  /** The network namespace that it runs in, of ip-netns(8). */
  readonly network?: string
  /** Milliseconds that it may run; then it is killed, and `finished` fails. */
  readonly mostMs?: number
}

/** Starts the executable with these arguments; it is killed at the end of the scope. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const child = Bun.spawn(commandOf(args, options), {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
  })
  const out = collect(child.stdout)
  const words = collect(child.stderr)
  const name = `comet ${args[0] ?? ''}`
  const ended = async () => {
    try {
      const exitCode = await withTimeout(
        `${name} to end`,
        child.exited,
        options.mostMs ?? COMMAND_MS_MAX,
      )
      const output = Promise.all([out.done, words.done])
      await withTimeout(`the end of the output of ${name}`, output, OUTPUT_MS_MAX)
      return { exitCode, out: out.text, words: words.text }
    } finally {
      child.kill('SIGKILL')
    }
  }
  const finished = ended()
  // Who has another way to see its end need not wait for it.
  finished.catch(() => undefined)
  return {
    process: child,
    words: () => words.text,
    finished,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

function commandOf(args: readonly string[], { openFiles, network }: RunOptions): string[] {
  const within = network === undefined ? [] : ['ip', 'netns', 'exec', network]
  const limit = ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`]
  return [...within, ...(openFiles === undefined ? [] : limit), COMET, ...args]
}

/** Runs the executable to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  await using running = start(args, { mostMs: RUN_MS_MAX, ...options })
  return await running.finished
}

/** A `comet serve` that listens. */
export interface Serving extends Running {
  readonly publicUrl: string
  /** One an address of the public port; the first is `publicUrl`. */
  readonly publicUrls: readonly string[]
  readonly controlUrl: string
  readonly publicPort: number
  readonly controlPort: number
  stats(): Promise<ServeStats>
  /** Sends one message; answers how many connections it was handed to. */
  publish(message: object): Promise<number>
}

export type RefusalReason = 'full' | 'draining' | 'rate' | 'address' | 'busy'

/** Nothing was refused. */
export const NONE_REFUSED = { full: 0, draining: 0, rate: 0, address: 0, busy: 0 } as const

/** The part of `/stats` that scripts look at. */
export interface ServeStats {
  readonly state: string
  readonly streams: {
    readonly open: number
    readonly limit: number
    readonly users: number
    readonly opened: number
    readonly unmeasured: number
    readonly refused: Readonly<Record<RefusalReason, number>>
    readonly closed: Readonly<Record<'client' | 'slow' | 'drained' | 'lost', number>>
  }
  readonly subscriptions: { readonly held: number; readonly subjects: number }
  readonly messages: {
    readonly accepted: number
    readonly rejected: number
    readonly dropped: number
  }
  readonly deliveries: Readonly<
    Record<'delivered' | 'undelivered' | 'unacknowledgedBytes' | 'skipped' | 'unknown', number>
  >
  readonly outbox: { readonly queuedBytes: number }
  readonly workers: readonly WorkerStats[]
  readonly erlang: ErlangStats | null
  readonly process: {
    readonly pid: number
    readonly residentBytes: number
    readonly cpuSeconds: number
    readonly openFiles: number
  }
}

export interface WorkerStats {
  readonly number: number
  readonly state: string
  readonly pid: number | null
  readonly restarts: number
  readonly unackedBytes: number
  readonly open: number
  readonly limit: number
  readonly refused: number
  readonly queuedBytes: number
}

export interface ErlangStats {
  readonly name: string
  readonly port: number
  readonly registered: boolean
  readonly peer: { readonly state: string; readonly why: string | null } | null
  readonly messages: number
  readonly connections: readonly { readonly node: string; readonly callsPending: number }[]
}

/** What tests give, unless they name another; the database is not kept. */
const SERVE_DEFAULTS = [
  ['--listen', '127.0.0.1:0'],
  ['--control', '127.0.0.1:0'],
  ['--db', ':memory:'],
] as const

/** Tests that keep a database name it; the others leave nothing behind. */
export const NO_FILE = ['--db', ':memory:']

/** Starts `comet serve` on free ports and waits until both are open. */
export async function serve(
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Serving> {
  const defaults = SERVE_DEFAULTS.filter(([name]) => !args.includes(name))
  const running = start(['serve', ...defaults.flat(), ...args], options)
  const line = await waitFor('the server to listen', () => {
    if (running.process.exitCode !== null) throw new Error(`comet serve ended: ${running.words()}`)
    return running.words().match(/^.*"event":"listening".*$/m)?.[0]
  })
  const { public: urls, control: controlUrl } = JSON.parse(line) as Record<string, string>
  const publicUrls = urls?.split(' ') ?? []
  const [publicUrl] = publicUrls
  if (publicUrl === undefined || controlUrl === undefined) throw new Error(`no addresses: ${line}`)
  return {
    ...running,
    publicUrl,
    publicUrls,
    controlUrl,
    publicPort: Number(new URL(publicUrl).port),
    controlPort: Number(new URL(controlUrl).port),
    stats: async () => (await (await ask(controlUrl, '/stats')).json()) as ServeStats,
    publish: async (message) => {
      const response = await ask(controlUrl, '/messages', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(message),
      })
      if (!response.ok) throw new Error(`publishing failed: ${await response.text()}`)
      return ((await response.json()) as { delivered: number }).delivered
    },
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

/** Asks again and again until there is an answer; throws after `ms`, saying what was waited for. */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 20_000,
): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const looked = look()
    const leftMs = Math.max(LOOK_MS_MIN, deadline - performance.now())
    const answer = looked instanceof Promise ? await withTimeout(what, looked, leftMs) : looked
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error(`waited ${ms} ms in vain for ${what}`)
    await Bun.sleep(5)
  }
}

function collect(stream: ReadableStream<Uint8Array>): {
  text: string
  readonly done: Promise<void>
} {
  const decoder = new TextDecoder()
  const read = async () => {
    for await (const part of stream) collected.text += decoder.decode(part, { stream: true })
  }
  const collected = { text: '', done: Promise.resolve() }
  collected.done = read()
  return collected
}

/** A port that was just free; nobody listens there. */
export async function closedPort(): Promise<number> {
  using listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
  return listener.port
}
