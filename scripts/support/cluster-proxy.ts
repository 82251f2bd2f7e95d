// HAProxy in front of servers that share a Redis: clients and publishers that lose theirs come back
// to another one. Both ports have a frontend, and are asked for their health.

import { writeFileSync } from 'node:fs'
import { ChildProcess, waitFor } from './child-process.ts'
import { freePort } from './comet.ts'
import { type Folder, makeFolder } from './folder.ts'
import { get, RawClient } from './raw-client.ts'

const PATH = `${process.env['PATH']}:/usr/sbin:/usr/local/sbin`
const PROGRAM = Bun.which('haproxy', { PATH })

/** A machine that only builds may have none. */
export const HAS_HAPROXY = PROGRAM !== null
if (!HAS_HAPROXY) console.error('Left out: tests with HAProxy. It is not installed.')

interface Ports {
  readonly public: number
  readonly control: number
}

/** Milliseconds for the answer of a server to a check: soon after it is frozen, it is out. */
const CHECK_MS_MAX = 500

/** A server that gives no answer is out, and what it holds is cut, so that clients of one that is
 * frozen come back, too. */
const defaultsOf = (checkMsMax: number) => `
defaults
  mode http
  timeout connect 500ms
  timeout client 1h
  timeout server 1h
  timeout check ${checkMsMax}ms
  option redispatch 1
  retries 3
  balance leastconn
  default-server check inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
`

function section(name: string, port: number, health: string, servers: readonly number[]): string {
  const lines = servers.map((server, at) => `  server node-${at} 127.0.0.1:${server}`)
  return [
    `listen ${name}`,
    `  bind 127.0.0.1:${port}`,
    '  option abortonclose',
    `  option httpchk`,
    `  http-check send meth GET uri ${health} ver HTTP/1.1 hdr Host localhost`,
    ...lines,
  ].join('\n')
}

export class ClusterProxy implements AsyncDisposable {
  readonly publicPort = freePort()
  readonly controlPort = freePort()
  readonly #folder: Folder
  readonly #process: ChildProcess

  /**
   * Waits until it passes requests on.
   *
   * @param checkMsMax milliseconds that a server may be busy before its streams are cut
   */
  static async start(servers: readonly Ports[], checkMsMax = CHECK_MS_MAX): Promise<ClusterProxy> {
    const folder = await makeFolder()
    const proxy = new ClusterProxy(folder, servers, checkMsMax)
    try {
      await waitFor('HAProxy to pass requests on', async () => {
        const statuses = [proxy.#status(proxy.publicPort, '/health')]
        statuses.push(proxy.#status(proxy.controlPort, '/readyz'))
        return (await Promise.all(statuses)).every((status) => status === 200)
      })
    } catch (error) {
      await proxy[Symbol.asyncDispose]()
      throw error
    }
    return proxy
  }

  private constructor(folder: Folder, servers: readonly Ports[], checkMsMax: number) {
    this.#folder = folder
    const path = `${folder.path}/haproxy.cfg`
    const of = (kind: keyof Ports) => servers.map((ports) => ports[kind])
    const sections = [
      section('public', this.publicPort, '/health', of('public')),
      section('control', this.controlPort, '/readyz', of('control')),
    ]
    writeFileSync(path, `${defaultsOf(checkMsMax)}\n${sections.join('\n\n')}\n`)
    const command = [String(PROGRAM), '-W', '-db', '-f', path]
    this.#process = new ChildProcess(command, { killsDescendants: true })
  }

  get publicUrl(): string {
    return `http://127.0.0.1:${this.publicPort}`
  }

  get controlUrl(): string {
    return `http://127.0.0.1:${this.controlPort}`
  }

  async #status(port: number, path: string): Promise<number> {
    if (this.#process.hasExited) throw this.#process.error('exited')
    try {
      using client = await RawClient.open(port, get(path))
      return (await client.headed()).status
    } catch {
      return 0
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }
}
