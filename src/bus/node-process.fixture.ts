// A node in a process of its own, which can be killed and frozen. It prints who is there each time
// that this changes, and answers what others ask.
//
//   bun src/bus/node-process.fixture.ts URL NAME LIMITS_AS_JSON

import { ChildProcess } from '../../scripts/support/child-process.ts'
import type { NodeLimits } from '../core/bus-limits.ts'
import { RedisNode } from './bus.fixture.ts'

/** Milliseconds until it knows of something: two heartbeats, and a start. */
const MEMBERS_MS_MAX = 10_000

export class NodeProcess implements AsyncDisposable {
  readonly #child: ChildProcess

  constructor(url: string, name: string, limits: Partial<NodeLimits> = {}) {
    const command = [process.execPath, import.meta.path, url, name, JSON.stringify(limits)]
    this.#child = new ChildProcess(command, { name, stdin: 'pipe' })
  }

  /** Waits until these nodes are there, and no others, as far as it knows. */
  async knows(...names: readonly string[]): Promise<void> {
    const wanted = names.toSorted().join()
    const isWanted = (line: string) => line === wanted || undefined
    await this.#child.line(`it knows ${wanted}`, isWanted, MEMBERS_MS_MAX)
  }

  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGCONT')
    await this.#child[Symbol.asyncDispose]()
  }
}

if (import.meta.main) {
  const [url = '', name = '', limits = '{}'] = process.argv.slice(2)
  const node = RedisNode.open(url, { name, nodeLimits: JSON.parse(limits) })
  node.redis.requests.handle('echo', (body) => body)
  node.recorder.onChange = () => console.log(node.members.join())
  process.stdin.resume()
}
