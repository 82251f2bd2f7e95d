// The backend of an example, beside a comet of the test's own.

import { writeFileSync } from 'node:fs'
import { SECRET } from '../../src/identity/token.fixture.ts'
import { ChildProcess } from './child-process.ts'
import { type CometServer, freePort, serve } from './comet.ts'
import { makeFolder } from './folder.ts'

export const EXAMPLES = `${import.meta.dir}/../examples`

/** Milliseconds for a backend to listen. */
const LISTEN_MS_MAX = 20_000

/** What the READMEs have the backends run by. */
const NODE = Bun.which('node') ?? process.execPath

/** Both that they name. */
export const RUNTIMES = [NODE, process.execPath]

export interface ExampleOptions {
  /** What runs the backend, and its file. */
  readonly runtime?: string
  readonly file?: string
  /** Has comet a key, without which anyone on the machine reads any stream? It has by default. */
  readonly hasKey?: boolean
  /** Added to the environment of the backend. */
  readonly env?: Readonly<Record<string, string>>
  /** More of comet. */
  readonly args?: readonly string[]
}

interface Parts {
  readonly url: string
  readonly args: readonly string[]
  readonly backend: ChildProcess
  readonly server: CometServer
  readonly startBackend: () => Promise<ChildProcess>
}

/** Its ports stay the same, so that comet can come back where it was. */
export class Example implements AsyncDisposable {
  readonly url: string
  server: CometServer
  #backend: ChildProcess
  readonly #startBackend: () => Promise<ChildProcess>
  readonly #args: readonly string[]
  readonly #stack: AsyncDisposableStack

  /** Starts comet with a database, and the backend of that example. */
  static async start(name: string, options: ExampleOptions = {}): Promise<Example> {
    const { runtime = NODE, file = 'server.mjs', hasKey = true, args: more = [] } = options
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(await makeFolder())
    const secret = `${folder.path}/secret`
    writeFileSync(secret, SECRET, { mode: 0o600 })
    const port = freePort()
    const url = `http://127.0.0.1:${port}`
    const args = [
      ...['--listen', `127.0.0.1:${freePort()}`, '--control', `127.0.0.1:${freePort()}`],
      ...['--db', `${folder.path}/comet.db`],
      ...(hasKey ? ['--jwt-secret-file', secret, '--cors-origin', url] : []),
      ...more,
    ]
    const server = stack.use(await serve(args))
    const env = {
      ...{ PORT: String(port), COMET_JWT_SECRET_FILE: secret },
      ...{ STREAMS_URL: server.publicUrl, CONTROL_URL: server.controlUrl },
      ...options.env,
    }
    const command = [runtime, `${EXAMPLES}/${name}/${file}`]
    const startBackend = async () => {
      const backend = new ChildProcess(command, { name, env })
      await backend.line('an address', (line) => line.includes(url) || undefined, LISTEN_MS_MAX)
      return backend
    }
    const backend = stack.use(await startBackend())
    return new Example({ url, args, backend, server, startBackend }, stack.move())
  }

  private constructor(parts: Parts, stack: AsyncDisposableStack) {
    this.url = parts.url
    this.server = parts.server
    this.#backend = parts.backend
    this.#startBackend = parts.startBackend
    this.#args = parts.args
    this.#stack = stack
  }

  /** Ends comet as a crash does. */
  async kill(): Promise<void> {
    await this.server[Symbol.asyncDispose]()
  }

  /** Starts it again, with its database and at its ports. */
  async restart(): Promise<void> {
    this.server = this.#stack.use(await serve(this.#args))
  }

  /** Ends the backend as a crash does, and starts it again; something may happen meanwhile. */
  async restartBackend(meanwhile: () => Promise<void>): Promise<void> {
    await this.#backend[Symbol.asyncDispose]()
    await meanwhile()
    this.#backend = this.#stack.use(await this.#startBackend())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
