// Load on servers that share a Redis, and a check of the results: publishers that retry at another
// server with the same key, and clients that reconnect to any server. In the end each client has
// all messages accepted for it, once and in order, or was told of a gap.

import type { BusCluster } from './bus-cluster.ts'
import { randomOf } from './chaos/chaos.ts'
import { CHAOS_FORMATS, ChaosClient, type ChaosFormat } from './chaos/client.ts'
import { waitFor } from './child-process.ts'
import { ask } from './comet.ts'
import type { Told } from './log-stream.ts'

/** Milliseconds until all clients have the last message, once all servers are there. */
const SETTLE_MS_MAX = 30_000
/** Milliseconds for one answer: a server may let publishers wait for ten seconds. */
const ANSWER_MS_MAX = 15_000

/** The first problems are enough to see what is wrong. */
const PROBLEMS_TOLD = 30

type User = number | string

/** Above the users of floods that run at the same time. */
const FIRST_USER = 1_000_000

const USERS: readonly User[] = Array.from({ length: 12 }, (_, at) =>
  at % 2 === 0 ? FIRST_USER + at : `user:${at}`,
)
const SUBJECT = 'news'
/** They follow the subject, if anyone does. */
const FOLLOWERS = USERS.slice(0, 4)

export interface BusLoadOptions {
  readonly cluster: BusCluster
  readonly seed: number
  /** Clients that stay connected, unless they are cut. */
  readonly staying: number
  /** Clients that come and go. */
  readonly restless?: number
  /** Formats of the clients, in turns; all by default. */
  readonly formats?: readonly ChaosFormat[]
  /** Milliseconds between two messages of a publisher, on average. Each node has one. */
  readonly pauseMs: number
  /** Are there messages about a subject? If Redis loses everything, it loses the followers. */
  readonly hasSubject?: boolean
  /** The port of the next connection of a client; that of any node by default. */
  readonly port?: () => number
}

/** A message that was accepted. Ids sort as text, in the order of the log. */
interface AcceptedMessage {
  readonly id: string
  readonly token: string
  readonly users: readonly User[]
}

export class BusLoad implements AsyncDisposable {
  readonly counts: Record<string, number> = {}
  readonly clients: ChaosClient[] = []
  readonly #options: BusLoadOptions
  readonly #random: () => number
  readonly #accepted: AcceptedMessage[] = []
  readonly #problems: string[] = []
  #running: Promise<void>[] = []
  #publishing: Promise<void>[] = []
  #isOver = false
  #published = 0

  /** Starts it, and waits until all clients have a cursor. */
  static async start(options: BusLoadOptions): Promise<BusLoad> {
    const load = new BusLoad(options)
    if (options.hasSubject === true) await load.#follow()
    load.#addClients()
    const placed = () => load.clients.every(({ cursor }) => cursor !== '')
    await waitFor('all clients to have a cursor', placed)
    const nodes = options.cluster.ports.keys()
    load.#publishing = [...nodes].map((at) => load.#publish(at))
    return load
  }

  private constructor(options: BusLoadOptions) {
    this.#options = options
    this.#random = randomOf(options.seed)
  }

  /** Messages that were accepted. */
  get accepted(): number {
    return this.#accepted.length
  }

  /** The gaps that clients were told of so far. */
  get gaps(): Told['gap'][] {
    return this.clients.flatMap(({ told }) => told.flatMap(({ gap }) => gap ?? []))
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T
  }

  async #follow(): Promise<void> {
    for (const user of FOLLOWERS)
      await this.#post(0, `/users/${user}/subscriptions/${SUBJECT}`, 'PUT')
  }

  #addClients(): void {
    const { staying, restless = 0, formats = CHAOS_FORMATS, cluster, seed } = this.#options
    const anyPort = () => this.#pick(cluster.ports).public
    for (let at = 0; at < staying + restless; at++) {
      const client = new ChaosClient({
        port: this.#options.port ?? anyPort,
        user: USERS[at % USERS.length] as User,
        subjects: [],
        format: formats[at % formats.length] ?? 'json',
        random: randomOf(seed + at + 1),
      })
      client.isSteady = at < staying
      this.clients.push(client)
      this.#running.push(client.run())
    }
  }

  async #publish(node: number): Promise<void> {
    while (!this.#isOver) {
      await this.publishOne(node)
      await Bun.sleep(this.#random() * 2 * this.#options.pauseMs)
    }
  }

  /** Publishes a message at a node, or at the next ones until one accepts it. */
  async publishOne(node: number, everyone = false): Promise<string> {
    const token = `m${++this.#published}`
    const dice = this.#random()
    const isAbout = this.#options.hasSubject === true && dice < 0.2
    const isForAll = everyone || dice > 0.95
    const user = this.#pick(USERS)
    const target = isForAll ? { to: '*' } : isAbout ? { subject: SUBJECT } : { to: user }
    const body = JSON.stringify({ ...target, body: token, key: `${this.#options.seed} ${token}` })
    const { id, restored } = (await (await this.#post(node, '/messages', 'POST', body)).json()) as {
      id: string
      restored?: boolean
    }
    if (restored === true) this.#count('accepted before')
    const users = isForAll ? USERS : isAbout ? FOLLOWERS : [user]
    this.#accepted.push({ id, token, users })
    return id
  }

  async #post(first: number, path: string, method: string, body = ''): Promise<Response> {
    const { ports } = this.#options.cluster
    for (let at = first, tries = 0; ; at++, tries++) {
      const url = `http://127.0.0.1:${ports[at % ports.length]?.control}`
      const signal = AbortSignal.timeout(ANSWER_MS_MAX)
      const request = body === '' ? { method, signal } : { method, body, signal }
      const response = await ask(url, path, request).catch(() => null)
      if (response?.ok === true) return response
      this.#count(response === null ? 'no answers' : `answers of ${response.status}`)
      if (response !== null && response.status < 500) {
        throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
      }
      if (tries > 500) throw new Error(`${path} is not answered`)
      await Bun.sleep(20 + this.#random() * 80)
    }
  }

  /** Waits until this many more messages are accepted. */
  async more(count: number, ms?: number): Promise<void> {
    const end = this.accepted + count
    const what = `${count} messages more to be accepted`
    const failing = Promise.all(this.#publishing).then(() => true)
    const enough = waitFor(what, () => this.accepted >= end, ms)
    await Promise.race([enough, failing])
  }

  /** Ends the load; all nodes must run. Returns the problems; empty if there are none. */
  async end(): Promise<string[]> {
    this.#isOver = true
    await Promise.all(this.#publishing)
    for (const client of this.clients) client.isSteady = true
    const id = await this.publishOne(0, true)
    const late = () => this.clients.filter(({ cursor }) => cursor < id)
    const hasAll = () => late().length === 0
    await waitFor('all clients to have the last message', hasAll, SETTLE_MS_MAX).catch(() => {
      for (const { user, format, cursor } of late()) {
        this.#problems.push(`${format} ${user} is still at ${cursor}, and not at ${id}`)
      }
    })
    await this.#stop()
    this.counts['accepted'] = this.accepted
    this.counts['gaps'] = 0
    this.counts['messages'] = 0
    const wrong = [...this.#problems, ...this.clients.flatMap((client) => this.#judge(client))]
    return wrong.slice(0, PROBLEMS_TOLD)
  }

  #judge({ user, format, told }: ChaosClient): string[] {
    const wrong: string[] = []
    const say = (what: string) => wrong.push(`${format} ${user}: ${what}`)
    const own = this.#accepted.filter(({ users }) => users.includes(user))
    const tokens = new Set(own.map(({ token }) => token))
    const had = new Set<string>()
    // Since the last gap, after which a client may get messages again.
    const since = new Set<string>()
    const gaps: { after: string; resume: string }[] = []
    const [first] = told
    let place = ''
    for (const { id, body, gap } of told) {
      if (gap !== undefined) {
        this.#count('gaps')
        if (gap.after < place) say(`a gap from ${gap.after}, though it was at ${place}`)
        gaps.push({ ...gap, after: place })
        place = gap.resume
        since.clear()
      } else if (body === undefined) {
        if (place !== '' && id !== undefined && id !== place)
          say(`it goes on at ${id}, from ${place}`)
        place = id ?? place
      } else {
        this.#count('messages')
        if (since.has(body)) say(`${body} came twice, the second time as ${id}`)
        if (id !== undefined && id <= place) say(`${body} ${id} came after ${place}`)
        if (!tokens.has(body)) say(`${body} is not for it, or was never accepted`)
        had.add(body)
        since.add(body)
        place = id ?? place
      }
    }
    for (const { id, token } of own) {
      if (had.has(token) || id <= (first?.id ?? '')) continue
      const isTold = gaps.some(({ after, resume }) => id > after && id <= resume)
      if (isTold) continue
      const at = told.findIndex((one) => (one.id ?? one.gap?.resume ?? '') > id)
      const around = JSON.stringify(told.slice(Math.max(0, at - 3), at + 3))
      say(`${token} ${id} is missing; around it: ${around}; its gaps: ${JSON.stringify(gaps)}`)
    }
    return wrong
  }

  async #stop(): Promise<void> {
    this.#isOver = true
    for (const client of this.clients) client.stop()
    await Promise.all(this.#running)
    this.#running = []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
  }
}
