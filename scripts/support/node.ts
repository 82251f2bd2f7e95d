// Starts the push server on Node's `http` and `net` for tests against servers that are not comet.

import { ChildProcess, waitFor } from './child-process.ts'
import { ask } from './comet.ts'

/** Milliseconds for Node to start. */
const START_MS_MAX = 20_000

/** The path of Node; null on a machine that has none. */
export const NODE = Bun.which('node')

export interface NodeServer extends AsyncDisposable {
  /**
   * Streams are at `/chunk/{id}`, `/line/{id}`, `/json/{id}` and `/sse/{id}`, posts go to
   * `/pub/{id}`.
   */
  readonly url: string
  /** HTTP/1.0, bodies until close, at any path with an id. */
  readonly oldUrl: string
  /** Waits until so many streams are open. */
  streams(count: number): Promise<void>
  /** Waits until it has got so many posts. */
  posts(count: number): Promise<void>
  /** Sends a text; answers to how many streams. */
  publish(user: number, text: string): Promise<number>
}

export async function startNodeServer(): Promise<NodeServer> {
  const source = await Bun.file(`${import.meta.dir}/node.fixture.ts`).text()
  // The Node that is there may know no types.
  const program = new Bun.Transpiler({ loader: 'ts' }).transformSync(source)
  const stdin = new Blob([program])
  const child = new ChildProcess([String(NODE), '--input-type=module', '-'], { stdin })
  const addresses = (line: string) =>
    line.startsWith('{') ? (JSON.parse(line) as { url: string; oldUrl: string }) : undefined
  const { url, oldUrl } = await child.line('its addresses', addresses, START_MS_MAX)
  const countOf = async (what: string) => Number(await (await ask(url, `/${what}`)).text())
  return {
    url,
    oldUrl,
    streams: async (count) => {
      await waitFor(`${count} streams`, async () => (await countOf('open')) === count)
    },
    posts: async (count) => {
      await waitFor(`${count} posts`, async () => (await countOf('posts')) >= count)
    },
    publish: async (user, text) => {
      const response = await ask(url, `/pub/${user}`, { method: 'POST', body: text })
      return ((await response.json()) as { subscribers: number }).subscribers
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}
