// Goal: client libraries that nobody here wrote follow a stream through restarts of the server and
// lose nothing, and are told of gaps and ends. Method: each library in Node or Bun, with what its
// user has to write around it (scripts/support/stream-client.mjs); the executable is killed,
// stopped and started again with its database, and messages are published while it is away.

import { afterAll, describe, test } from 'bun:test'
import { ChildProcess } from '../../support/child-process.ts'
import { type ForeignClient, type ForeignEvent, RESTART_CHECKS } from '../../support/restarts.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterAll(noProcessIsLeft)

const NODE = Bun.which('node')
const BUN = process.execPath
const DRIVER = `${import.meta.dir}/../../support/stream-client.mjs`

/**
 * Those of EventSource come back by themselves; of all others the user's code asks again, with
 * `after=` and the last id that a line or a frame had.
 */
const LIBRARIES = [
  ['eventsource', 'Node', 'sse'],
  ['eventsource', 'Bun', 'sse'],
  ['eventsource-client', 'Node', 'sse'],
  ['eventsource-client', 'Bun', 'sse'],
  ['undici', 'Node', 'sse'],
  ['fetch', 'Node', 'json'],
  ['fetch', 'Bun', 'json'],
  ['ws', 'Node', 'websocket'],
  ['undici-websocket', 'Node', 'websocket'],
  ['websocket', 'Bun', 'websocket'],
] as const

class Library implements ForeignClient {
  readonly #process: ChildProcess

  constructor(program: string, library: string, url: string) {
    this.#process = new ChildProcess([program, DRIVER, library, url], { name: library })
  }

  async events(): Promise<ForeignEvent[]> {
    const lines = this.#process.stdout.split('\n').slice(0, -1)
    return lines.flatMap((line) => (JSON.parse(line) as { event?: ForeignEvent }).event ?? [])
  }

  async isPlaced(): Promise<boolean> {
    return this.#process.stdout.includes('"placed":true')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}

describe.each(LIBRARIES)('%s in %s', (library, runtime, format) => {
  const program = runtime === 'Node' ? NODE : BUN
  // Those of EventSource wait for seconds before they come back.
  const withProgram = (format === 'sse' ? test.concurrent : test).skipIf(program === null)
  const open = async (origin: string) =>
    new Library(String(program), library, `${origin}/stream/alice?format=${format}`)

  for (const [name, check] of RESTART_CHECKS) withProgram(name, () => check(open))
})
