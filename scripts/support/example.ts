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
  /** What runs the backend. */
  readonly runtime?: string
  /** More of comet. */
  readonly args?: readonly string[]
}

interface Parts {
  readonly url: string
  readonly args: readonly string[]
  readonly backend: ChildProcess
  readonly server: CometServer
}

/** Its ports stay the same, so that comet can come back where it was. */
export class Example implements AsyncDisposable {
  readonly url: string
  readonly backend: ChildProcess
  server: CometServer
  readonly #args: readonly string[]
  readonly #stack: AsyncDisposableStack

  /** Starts comet with a key and a database, and the backend `server.mjs` of that example. */
  static async start(
    name: string,
    { runtime = NODE, args: more = [] }: ExampleOptions = {},
  ): Promise<Example> {
    await using stack = new AsyncDisposableStack()
    const folder = stack.use(await makeFolder())
    const secret = `${folder.path}/secret`
    writeFileSync(secret, SECRET, { mode: 0o600 })
    const port = freePort()
    const url = `http://127.0.0.1:${port}`
    const args = [
      ...['--listen', `127.0.0.1:${freePort()}`, '--control', `127.0.0.1:${freePort()}`],
      ...['--db', `${folder.path}/comet.db`],
      ...['--jwt-secret-file', secret, '--cors-origin', url],
      ...more,
    ]
    const server = stack.use(await serve(args))
    const env = {
      ...{ PORT: String(port), COMET_JWT_SECRET_FILE: secret },
      ...{ STREAMS_URL: server.publicUrl, CONTROL_URL: server.controlUrl },
    }
    const command = [runtime, `${EXAMPLES}/${name}/server.mjs`]
    const backend = stack.use(new ChildProcess(command, { name, env }))
    await backend.line('an address', (line) => line.includes(url) || undefined, LISTEN_MS_MAX)
    return new Example({ url, args, backend, server }, stack.move())
  }

  private constructor({ url, args, backend, server }: Parts, stack: AsyncDisposableStack) {
    this.url = url
    this.backend = backend
    this.server = server
    this.#args = args
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
