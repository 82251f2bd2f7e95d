// Chaos: a server whose workers, and which itself, are killed, stopped and started again while
// messages are published and clients come and go; and what was wrong in the end.

import { waitFor } from '../child-process.ts'
import { ask, type CometServer, freePort, serve, start } from '../comet.ts'
import { CHAOS_FORMATS, ChaosClient } from './client.ts'
import { Model, type Name } from './model.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly ms: number
  /** Of `comet serve`. */
  readonly args: readonly string[]
  readonly folder: string
  /** Sizes of the window, one for each start. */
  readonly windowsBytes: readonly number[]
  readonly publishers: number
  readonly clients: number
  /** Of one publisher between two messages, on average. */
  readonly pauseMs: number
}

export interface ChaosReport {
  readonly wrong: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

/** A generator of random numbers below 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
}

const USERS: readonly Name[] = Array.from({ length: 100 }, (_, at) =>
  at % 2 === 0 ? 1 + at : `user:${at}`,
)
const SUBJECTS: readonly Name[] = Array.from({ length: 20 }, (_, at) =>
  at % 2 === 0 ? 1_001 + at : `room:${at}`,
)

export class Chaos {
  readonly model: Model
  readonly counts: Record<string, number> = {}
  readonly #options: ChaosOptions
  readonly #random: () => number
  readonly #publicPort = freePort()
  readonly #controlPort = freePort()
  #server: CometServer | null = null
  #isOver = false
  #published = 0
  readonly clients: ChaosClient[] = []
  readonly problems: string[] = []

  constructor(options: ChaosOptions) {
    this.#options = options
    this.#random = randomOf(options.seed)
    this.model = new Model(Math.min(...options.windowsBytes))
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T
  }

  /** What the server is started with, each time with one of the windows. */
  #args(): string[] {
    const { folder, args, windowsBytes } = this.#options
    return [
      ...['--listen', `127.0.0.1:${this.#publicPort}`, '--db', `${folder}/comet.db`],
      ...['--control', `127.0.0.1:${this.#controlPort}`],
      ...['--history', String(this.#pick(windowsBytes)), ...args],
    ]
  }

  /** The ports may not be free at once. */
  async #start(): Promise<void> {
    const begin = async () => {
      try {
        return await serve(this.#args())
      } catch {
        this.#count('starts that failed')
        return false
      }
    }
    const server = await waitFor('the server to start', begin, 20_000, { everyMs: 100 })
    this.#server = server
    this.#readNotes(server.stderr)
  }

  /** What the server says of its log. */
  #readNotes(stderr: string): void {
    for (const [note] of stderr.matchAll(/^.*"event":"history".*$/gm)) {
      if (note.includes('does not have all changes')) {
        this.#count('changes missing')
        this.model.barriers.push(this.model.newest)
      } else if (!note.includes('from now on')) this.problems.push(note)
    }
  }

  /** It may be killed at any moment of its start. */
  async #startAfterSome(): Promise<void> {
    while (this.#random() < 0.3) {
      this.#count('starts killed')
      await using server = start(['serve', ...this.#args()])
      await Bun.sleep(this.#random() * 400)
      server.kill()
      await server.exited
      this.#readNotes(server.stderr)
    }
    await this.#start()
  }

  async #post(path: string, request: RequestInit): Promise<Response> {
    const url = `http://127.0.0.1:${this.#controlPort}`
    for (let tries = 0; ; tries++) {
      try {
        const response = await ask(url, path, { ...request, signal: AbortSignal.timeout(5_000) })
        if (response.status < 300) return response
        if (response.status < 500) {
          this.problems.push(`${path} was answered ${response.status}: ${await response.text()}`)
          return response
        }
        this.#count('answers of 5xx')
      } catch {
        this.#count('requests without an answer')
      }
      if (tries > 500) throw new Error(`${path} is not answered`)
      await Bun.sleep(20 + this.#random() * 80)
    }
  }

  /** Publishes a message, again and again until there is an answer. Answers its id. */
  async publish(target: { subject?: Name; to?: Name }, length = 0): Promise<string> {
    const token = `m${++this.#published}`
    const body = length === 0 ? token : `${token}\n${'x'.repeat(length)}`
    const message = { ...target, body, key: `${this.#options.seed} ${token}` }
    const response = await this.#post('/messages', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(message),
    })
    const { id, skipped, unknown, restored } = (await response.json()) as { id: string } & Record<
      string,
      number
    >
    if (skipped) this.#count('skipped')
    if (unknown) this.#count('unknown')
    if (restored) this.#count('restored')
    const { subject = null, to = null } = target
    this.model.accept({ id, token, bytes: body.length, subject, to })
    return id
  }

  async #publishing(): Promise<void> {
    while (!this.#isOver) {
      const dice = this.#random()
      const length =
        this.#random() < 0.02
          ? Math.floor(this.#random() * 30_000)
          : Math.floor(this.#random() * 300)
      if (dice < 0.02) await this.publish({ to: '*' }, length)
      else if (dice < 0.4) await this.publish({ to: this.#pick(USERS) }, length)
      else if (dice < 0.5) await this.publish({ subject: this.#pick(USERS) }, length)
      else await this.publish({ subject: this.#pick(SUBJECTS) }, length)
      await Bun.sleep(this.#random() * 2 * this.#options.pauseMs)
    }
  }

  /** @param users whose follows nobody else changes */
  async #following(users: readonly Name[]): Promise<void> {
    const followed = new Set<string>()
    while (!this.#isOver) {
      const [user, subject] = [this.#pick(users), this.#pick(SUBJECTS)]
      const key = `${user} ${subject}`
      const follows = !followed.has(key)
      const after = await this.publish({ to: 'probe' })
      await this.#post(`/users/${user}/subscriptions/${subject}`, {
        method: follows ? 'PUT' : 'DELETE',
      })
      const before = await this.publish({ to: 'probe' })
      this.model.change(user, subject, { after, before, follows })
      if (follows) followed.add(key)
      else followed.delete(key)
      this.#count('follow changes')
      await Bun.sleep(this.#random() * 60)
    }
  }

  async #disturb(): Promise<void> {
    const dice = this.#random()
    const server = this.#server
    if (server === null) return
    if (dice < 0.45) await this.#disturbWorker(server, dice < 0.25 ? 'SIGKILL' : 'SIGSTOP')
    else if (dice < 0.55) await this.#stop(server.pid, 'parents stopped')
    else {
      if (dice < 0.9) await this.#kill(server, dice < 0.65)
      else {
        this.#count('servers ended')
        await server.end('SIGTERM', 40_000)
      }
      await this.#startAfterSome()
    }
  }

  /** @param isEnding was it told to end? */
  async #kill(server: CometServer, isEnding: boolean): Promise<void> {
    this.#count(isEnding ? 'servers killed while they end' : 'servers killed')
    if (isEnding) {
      server.kill('SIGTERM')
      await Bun.sleep(this.#random() * 300)
    }
    this.model.kills.push(this.model.newest)
    server.kill()
    await server.exited
  }

  async #disturbWorker(server: CometServer, signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
    const { workers } = await server.stats()
    const pid = this.#pick(workers)?.pid
    if (pid == null || pid === server.pid) return
    if (signal === 'SIGSTOP') {
      await this.#stop(pid, 'workers stopped')
      return
    }
    this.#count('workers killed')
    process.kill(pid, signal)
  }

  async #stop(pid: number, what: string): Promise<void> {
    this.#count(what)
    process.kill(pid, 'SIGSTOP')
    await Bun.sleep(200 + this.#random() * 1_500)
    process.kill(pid, 'SIGCONT')
  }

  #addClients(): Promise<void>[] {
    const running: Promise<void>[] = []
    for (let at = 0; at < this.#options.clients; at++) {
      const subjects = this.#random() < 0.3 ? [this.#pick(SUBJECTS), this.#pick(SUBJECTS)] : []
      const client = new ChaosClient({
        port: () => this.#publicPort,
        user: USERS[at % USERS.length] as Name,
        subjects: [...new Set(subjects)],
        format: CHAOS_FORMATS[at % CHAOS_FORMATS.length] ?? 'json',
        random: randomOf(this.#options.seed + at + 1),
      })
      this.clients.push(client)
      running.push(client.run())
    }
    return running
  }

  async run(): Promise<ChaosReport> {
    const { ms, publishers } = this.#options
    await this.#start()
    const running = this.#addClients()
    const working = Array.from({ length: publishers }, () => this.#publishing())
    const halves = [0, 1].map((half) => USERS.filter((_, at) => at % 2 === half))
    for (const users of halves) working.push(this.#following(users))
    const endMs = performance.now() + ms
    try {
      while (performance.now() < endMs) {
        await Bun.sleep(this.#random() * 1_500)
        await this.#disturb()
      }
      this.#isOver = true
      await Promise.all(working)
      await this.#settle()
    } finally {
      for (const client of this.clients) client.stop()
      await Promise.all(running)
      await this.#server?.[Symbol.asyncDispose]()
    }
    return this.#report()
  }

  /** All clients stay, until each has the last message. */
  async #settle(): Promise<void> {
    for (const client of this.clients) client.isSteady = true
    const id = await this.publish({ to: '*' })
    const late = () => this.clients.filter(({ cursor }) => cursor < id)
    await waitFor('all clients to have the last message', () => late().length === 0, 20_000).catch(
      () => {
        for (const { user, format, cursor } of late())
          this.problems.push(`${format} ${user} is still at ${cursor}`)
      },
    )
  }

  #report(): ChaosReport {
    const wrong = [...this.problems, ...this.model.close()]
    let messages = 0
    for (const client of this.clients) {
      wrong.push(...this.model.judge(client))
      messages += client.told.filter(({ body }) => body !== undefined).length
      for (const { gap } of client.told) if (gap !== undefined) this.#count(`gaps ${gap.reason}`)
    }
    const connections = this.clients.reduce((sum, client) => sum + client.connections, 0)
    return { wrong, counts: { published: this.model.size, messages, connections, ...this.counts } }
  }
}
