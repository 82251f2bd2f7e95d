// A person with a fresh clone, an empty home and empty caches, who types what the documents of the
// clone say. Only the ports are others than theirs.

import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ChildProcess, succeed } from './child-process.ts'
import { freePort } from './comet.ts'
import { blockOf, documentedCommands } from './documented-commands.ts'

const root = `${import.meta.dir}/../..`

/** Milliseconds for a command, and to clone. */
const COMMAND_MS_MAX = 60_000

/** What a machine may need to reach the registry at all; no other variable of its own is kept. */
const KEPT = /^(https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file|npm_config_registry)$/i

const SERVICES = ['streams', 'control', 'site'] as const
export type Service = (typeof SERVICES)[number]

/** The ports of the documents. */
const DOCUMENTED_PORTS: Readonly<Record<Service, number>> = {
  streams: 8000,
  control: 8001,
  site: 3000,
}

export interface TypedOptions {
  /** Where it is typed: in the clone, or in a folder of the user's own, which is the default. */
  readonly inClone?: boolean
  /** Milliseconds that it may run. */
  readonly timeoutMs?: number
}

/** Has a clone, a home and ports of its own; the caller ends what it types. */
export class NewUser {
  readonly clone: string
  /** Where the commands of the manual are typed. */
  readonly folder: string
  /** A command that is typed into each terminal before others, in the clone. */
  firstCommand = 'true'
  readonly #home: string
  readonly #ports: Readonly<Record<Service, number>>

  /** Makes empty folders in that one, and clones the last commit. */
  static async start(within: string): Promise<NewUser> {
    const user = new NewUser(within)
    await Promise.all([mkdir(user.folder), mkdir(user.#home)])
    // With this process's own home, whose settings say which repositories Git trusts.
    await succeed(['git', 'clone', '--quiet', root, user.clone], { timeoutMs: COMMAND_MS_MAX })
    return user
  }

  private constructor(within: string) {
    this.clone = `${within}/comet`
    this.folder = `${within}/work`
    this.#home = `${within}/home`
    this.#ports = { streams: freePort(), control: freePort(), site: freePort() }
  }

  url(service: Service): string {
    return `http://127.0.0.1:${this.#ports[service]}`
  }

  /** What is written in a document, with the ports that are free here. */
  local(text: string): string {
    return SERVICES.reduce(
      (changed, service) =>
        changed.replaceAll(`${DOCUMENTED_PORTS[service]}`, `${this.#ports[service]}`),
      text,
    )
  }

  /** The page that is a block of a document of the clone. */
  async page(path: string, block: string): Promise<string> {
    return this.local(blockOf(await this.#read(path), 'html', block))
  }

  /** The one command of a block that begins so, in a document of the clone. */
  async command(path: string, block: string, start: string): Promise<string> {
    const commands = documentedCommands(await this.#read(path), block)
    const found = commands.filter(({ line }) => line.startsWith(start))
    const [command] = found
    if (command === undefined || found.length > 1) {
      throw new Error(`${path} has ${found.length} commands ${start} in its block ${block}`)
    }
    return command.line
  }

  /** Types a command into a terminal of its own. */
  type(command: string, options: TypedOptions = {}): ChildProcess {
    const { inClone = false, timeoutMs = COMMAND_MS_MAX } = options
    // A program that stays takes the place of the shell, so that a signal ends it and nothing else.
    const isOne = /^(comet|python3) [^|>]*$/.test(command)
    const typed = this.local(isOne ? `exec ${command}` : command)
    const folder = inClone ? this.clone : this.folder
    const script = `cd ${this.clone} && ${this.firstCommand} && cd ${folder} && ${typed}`
    const pairs = Object.entries(this.#environment()).map(([name, value]) => `${name}=${value}`)
    return new ChildProcess(['env', '-i', ...pairs, 'bash', '-c', script], {
      name: command,
      timeoutMs,
      killsDescendants: true,
    })
  }

  /** Types a command, and waits for its end, which must be 0. Returns what it printed. */
  async run(command: string, options: TypedOptions = {}): Promise<string> {
    await using running = this.type(command, options)
    const { exitCode, stdout } = await running.finished
    if (exitCode !== 0) throw running.error(`exited with ${exitCode}`)
    return stdout
  }

  #read(path: string): Promise<string> {
    return Bun.file(`${this.clone}/${path}`).text()
  }

  #environment(): Record<string, string> {
    const kept = Object.entries(process.env).filter(([name]) => KEPT.test(name))
    // Programs of packages are those of this tree.
    const path = `${process.env['PATH']}`.split(':').filter((part) => !/node_modules/.test(part))
    return {
      ...(Object.fromEntries(kept) as Record<string, string>),
      PATH: [...path, dirname(process.execPath)].join(':'),
      HOME: this.#home,
      npm_config_cache: `${this.#home}/npm-cache`,
      BUN_INSTALL_CACHE_DIR: `${this.#home}/bun-cache`,
      // Instead of options, so that commands are those of the documents.
      COMET_LISTEN: `127.0.0.1:${this.#ports.streams}`,
      COMET_CONTROL: `127.0.0.1:${this.#ports.control}`,
      COMET_PUBLISH_CONTROL: this.url('control'),
    }
  }
}
