// A real redis-server for tests: started, stopped, killed, frozen and started again at the same
// port, with or without a file of its commands; alone, or as a replica of another one; by the clock
// of this machine, or by one that tests set.

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { ChildProcess, waitFor } from './child-process.ts'
import { freePort } from './comet.ts'
import { type Folder, makeFolder } from './folder.ts'

const PROGRAM = Bun.which('redis-server', { PATH: `${process.env['PATH']}:/usr/sbin` })

/** A machine that only builds may have none. */
export const HAS_REDIS = PROGRAM !== null
if (!HAS_REDIS) console.error('Left out: tests with Redis. There is no redis-server.')

/** From Debian's package of the same name; null where it is not installed. */
const LIBFAKETIME = libfaketime()

/** Can a server of Redis have another clock than this machine? */
export const HAS_CLOCKS = LIBFAKETIME !== null
if (!HAS_CLOCKS) console.error('Left out: tests of the clock of Redis. There is no libfaketime.')

/** Milliseconds for it to start, which takes about ten, and for one command. */
const START_MS_MAX = 20_000
const COMMAND_MS_MAX = 10_000

export interface RedisServerOptions {
  /** Does it keep its commands in a file (`appendfsync always`), and so survive a kill? */
  readonly isDurable?: boolean
  readonly password?: string
  /** The certificate and key of a second port, for TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** The port of the server that it is a replica of. */
  readonly replicaOf?: number
  /** An address of this machine of its own, where no other test can take its port meanwhile: for
   * one that is away for seconds. */
  readonly hasOwnAddress?: boolean
  /** Does it have a clock of its own, which {@link RedisServer.setClock} sets? */
  readonly hasOwnClock?: boolean
  /** More lines of its configuration, such as `maxmemory 10mb`. */
  readonly settings?: readonly string[]
}

export class RedisServer implements AsyncDisposable {
  readonly host: string
  readonly port: number
  /** 0 without TLS. */
  readonly tlsPort: number
  readonly #options: RedisServerOptions
  readonly #folder: Folder
  #child: ChildProcess

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await makeFolder()
    const server = new RedisServer(options, folder)
    await server.#ready()
    return server
  }

  private constructor(options: RedisServerOptions, folder: Folder) {
    this.#options = options
    this.#folder = folder
    this.host = options.hasOwnAddress === true ? ownAddress() : '127.0.0.1'
    this.port = freePort()
    this.tlsPort = options.tls === undefined ? 0 : freePort()
    if (options.hasOwnClock === true) this.setClock(0)
    this.#child = this.#spawn()
  }

  get url(): string {
    return `redis://${this.host}:${this.port}`
  }

  get pid(): number {
    return this.#child.pid
  }

  get #clockPath(): string {
    return `${this.#folder.path}/clock`
  }

  /** From now on, and after a start, its clock differs so much from that of this machine. */
  setClock(seconds: number): void {
    writeFileSync(this.#clockPath, `${seconds < 0 ? '' : '+'}${seconds}`)
  }

  #spawn(): ChildProcess {
    const { isDurable = false, password, tls, replicaOf, settings = [] } = this.#options
    const lines = [
      `bind ${this.host}`,
      `port ${this.port}`,
      `dir ${this.#folder.path}`,
      'save ""',
      isDurable ? 'appendonly yes\nappendfsync always' : 'appendonly no',
      // A replica gets the log at once, and not after five seconds.
      'repl-diskless-sync-delay 0',
      ...(password === undefined ? [] : [`requirepass ${password}`, `masterauth ${password}`]),
      ...(replicaOf === undefined ? [] : [`replicaof 127.0.0.1 ${replicaOf}`]),
      ...(tls === undefined ? [] : [`tls-port ${this.tlsPort}`, `tls-cert-file ${tls.cert}`]),
      ...(tls === undefined ? [] : [`tls-key-file ${tls.key}`, 'tls-auth-clients no']),
      ...settings,
    ]
    const stdin = new Blob([lines.join('\n')])
    const env = this.#options.hasOwnClock === true ? clockOf(this.#clockPath) : {}
    return new ChildProcess([String(PROGRAM), '-'], { name: 'redis-server', stdin, env })
  }

  async #ready(): Promise<void> {
    const isReady = (line: string) => line.includes('Ready to accept connections') || undefined
    await this.#child.line('it accepts connections', isReady, START_MS_MAX)
  }

  /** Once more, at the same port and with what is left in its folder. */
  async startAgain(): Promise<void> {
    this.#child = this.#spawn()
    await this.#ready()
  }

  /** As `kill -9` and a start; without a file of its commands all is gone. */
  async restart(): Promise<void> {
    await this.kill()
    await this.startAgain()
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#child.exited
  }

  /** As a service manager does it. */
  async stop(): Promise<void> {
    await this.#child.end('SIGTERM')
  }

  /** It keeps its connections, and answers nothing until {@link resume}. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** Sends a command on a connection of its own. An error that Redis answers is thrown. */
  async command(name: string, ...args: readonly string[]): Promise<unknown> {
    const { password } = this.#options
    const user = password === undefined ? '' : `default:${encodeURIComponent(password)}@`
    const client = new Bun.RedisClient(`redis://${user}${this.host}:${this.port}`, {
      autoReconnect: false,
      connectionTimeout: COMMAND_MS_MAX,
    })
    try {
      await client.connect()
      return await client.send(name, [...args])
    } finally {
      client.close()
    }
  }

  /** One line of `INFO`; undefined if there is none of that name. */
  async info(name: string): Promise<string | undefined> {
    const lines = String(await this.command('INFO')).split('\r\n')
    return lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1)
  }

  /** Waits until a replica follows its master. */
  async followsMaster(): Promise<void> {
    await waitFor('the replica to follow', async () => {
      return (await this.info('master_link_status')) === 'up'
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }
}

function libfaketime(): string | null {
  const folder = '/usr/lib'
  if (!existsSync(folder)) return null
  // There is one folder for each kind of machine.
  const paths = readdirSync(folder).map((kind) => `${folder}/${kind}/faketime/libfaketimeMT.so.1`)
  return paths.find((path) => existsSync(path)) ?? null
}

/** The environment of a program whose clock is set by a file. Its waits are by the real time. */
function clockOf(path: string): Record<string, string> {
  return {
    // The allocator of Debian's Redis asks for the time before it is there to be used: that of the
    // C library, which does not, stands before it.
    LD_PRELOAD: `${LIBFAKETIME} libc.so.6`,
    FAKETIME_TIMESTAMP_FILE: path,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}

/** One of the 16 million of loopback, beyond those that floods connect from. */
function ownAddress(): string {
  const byte = (from: number) => from + Math.floor(Math.random() * (255 - from))
  return `127.${byte(16)}.${byte(0)}.${byte(1)}`
}
