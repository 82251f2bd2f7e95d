// A network for tests: a server and its clients in network namespaces of their own, and a router
// between them whose queues are short, so that they drop bursts. It takes root on Linux.
// The queues are the router's: one of the server's own would tell the kernel of what it drops, and
// the kernel would send it again.

import { succeed } from './child-process.ts'
import { type Folder, makeFolder } from './folder.ts'

/** Milliseconds for one command, which takes a few. */
const COMMAND_MS_MAX = 20_000

/** Packets that each queue holds, and how fast it empties: 3,800 keepalive probes a second. */
const QUEUE_PACKETS = 50
const QUEUE_RATE = '2mbit'

const SERVER_ADDRESS = '10.91.0.1'
const CLIENT_ADDRESS = '10.92.0.1'

/**
 * Sends so many datagrams to each address, to a port without a socket; the kernel reports that as
 * an error of a later one.
 */
const BLAST = `
  const [, count, ...addresses] = process.argv
  const socket = await Bun.udpSocket({ socket: { error: () => undefined } })
  for (const address of addresses) {
    for (let sent = 0; sent < Number(count); sent++) {
      try { socket.send('x', 9, address) } catch (error) {
        // An earlier one had no socket at its port, or a queue was full, as it is meant to be.
        if (error.code !== 'ECONNREFUSED' && error.code !== 'ENOBUFS') throw error
      }
    }
  }
  socket.close()`

export class QueuedNetwork implements AsyncDisposable {
  readonly serverAddress = SERVER_ADDRESS
  /** The namespaces, for commands that are to run there. */
  readonly server: string
  readonly clients: string
  readonly #router: string
  readonly #folder: Folder

  /** Without a limit: nothing is dropped yet. */
  static async make(): Promise<QueuedNetwork> {
    const network = new QueuedNetwork(await makeFolder())
    try {
      for (const space of network.#spaces) {
        command(['ip', 'netns', 'add', space])
        command(['ip', '-n', space, 'link', 'set', 'lo', 'up'])
      }
      network.#connect(network.server, SERVER_ADDRESS, 'to-server', '10.91.0.2')
      network.#connect(network.clients, CLIENT_ADDRESS, 'to-clients', '10.92.0.2')
      const forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward'
      command(['ip', 'netns', 'exec', network.#router, 'sh', '-c', forward])
      return network
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Why there can be no such network here; null if there can. */
  static async whyNot(): Promise<string | null> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it takes root on Linux'
    for (const tool of ['ip', 'tc']) {
      if (Bun.which(tool) === null) return `${tool} is not installed`
    }
    try {
      await using network = await QueuedNetwork.make()
      network.dropBursts()
      return null
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  private constructor(folder: Folder) {
    const name = `comet-${crypto.randomUUID().slice(0, 8)}`
    this.#folder = folder
    this.server = `${name}-server`
    this.clients = `${name}-clients`
    this.#router = `${name}-router`
  }

  /** For the control port of the server, which no address reaches from outside. */
  get socketFile(): string {
    return `${this.#folder.path}/comet.sock`
  }

  /** From now on the queue to either side is short. */
  dropBursts(): void {
    for (const link of ['to-server', 'to-clients']) {
      const add = ['tc', '-n', this.#router, 'qdisc', 'add', 'dev', link]
      const rate = ['tbf', 'rate', QUEUE_RATE, 'burst', '1540', 'limit', '100000']
      command([...add, 'root', 'handle', '1:', ...rate])
      command([...add, 'parent', '1:', 'pfifo', 'limit', String(QUEUE_PACKETS)])
    }
  }

  /** Packets that both queues have dropped. */
  dropped(): number {
    const shown = command(['tc', '-n', this.#router, '-s', '-j', 'qdisc', 'show'])
    const queues = JSON.parse(shown) as readonly { kind: string; drops: number }[]
    return queues.reduce((sum, { kind, drops }) => sum + (kind === 'pfifo' ? drops : 0), 0)
  }

  /** Sends a burst of packets to either side. */
  async blast(packets: number): Promise<void> {
    const args = [String(packets), SERVER_ADDRESS, CLIENT_ADDRESS]
    const blast = ['ip', 'netns', 'exec', this.#router, process.execPath, '-e', BLAST, ...args]
    await succeed(blast, { name: 'a burst', timeoutMs: COMMAND_MS_MAX })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const space of this.#spaces) Bun.spawnSync(['ip', 'netns', 'delete', space])
    await this.#folder[Symbol.asyncDispose]()
  }

  get #spaces(): readonly string[] {
    return [this.server, this.clients, this.#router]
  }

  #connect(space: string, address: string, link: string, gateway: string): void {
    const [own, there] = [
      ['netns', space],
      ['netns', this.#router],
    ] as const
    command(['ip', 'link', 'add', 'eth0', ...own, 'type', 'veth', 'peer', 'name', link, ...there])
    for (const [at, name, of] of [
      [space, 'eth0', address],
      [this.#router, link, gateway],
    ] as const) {
      command(['ip', '-n', at, 'address', 'add', `${of}/24`, 'dev', name])
      command(['ip', '-n', at, 'link', 'set', name, 'up'])
    }
    command(['ip', '-n', space, 'route', 'add', 'default', 'via', gateway])
  }
}

/** Runs a command that must not fail; answers what it printed. */
function command(words: readonly string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync([...words], { timeout: COMMAND_MS_MAX })
  if (!success) throw new Error(`${words.join(' ')}: ${stderr.toString().trim()}`)
  return stdout.toString()
}
