// What clients are owed, naively: all messages that the server has accepted, who followed whom when
// each was published, and what is wrong with what a client has got. It shares no code with comet.

import type { Told } from '../log-stream.ts'

export type Name = number | string

/** A message that was accepted. Ids sort as text, in the order of the log. */
export interface Accepted {
  readonly id: string
  readonly token: string
  readonly bytes: number
  /** Null if it is to a user alone, or to everyone. */
  readonly subject: Name | null
  readonly to: Name | null
}

/** A change of who follows whom: it was made between two messages. */
interface Change {
  readonly after: string
  readonly before: string
  readonly follows: boolean
}

/** What a client was told, in order, and when it went on from where. */
export interface Heard {
  readonly user: Name
  readonly subjects: readonly Name[]
  readonly format: string
  readonly told: readonly Told[]
}

const EVERYONE = '*'
const REPLAYED_MAX = 8_192
const REPLAYED_BYTES_MAX = 1024 * 1024

type Owed = 'yes' | 'no' | 'perhaps'

export class Model {
  readonly #byToken = new Map<string, Accepted>()
  readonly #changes = new Map<string, Change[]>()
  #sorted: Accepted[] = []
  /** Ids of the newest messages when the server was ended without a clean end. */
  readonly kills: string[] = []
  /** Ids of the newest messages when the server began without having all changes in its log: what
   * users followed before is taken to be what they follow then. */
  readonly barriers: string[] = []
  readonly #windowBytes: number

  /** @param windowBytes of the server's window */
  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
  }

  get size(): number {
    return this.#byToken.size
  }

  /** The highest id that a publisher was told. */
  newest = ''

  accept(message: Accepted): void {
    this.#byToken.set(message.token, message)
    if (message.id > this.newest) this.newest = message.id
  }

  change(user: Name, subject: Name, change: Change): void {
    const key = `${user} ${subject}`
    const changes = this.#changes.get(key) ?? []
    changes.push(change)
    this.#changes.set(key, changes)
  }

  /** Two messages with the same id, which no log has. */
  close(): string[] {
    this.#sorted = [...this.#byToken.values()].sort((one, other) => (one.id < other.id ? -1 : 1))
    return this.#sorted.flatMap(({ id, token }, at) => {
      const before = this.#sorted[at - 1]
      return before?.id === id ? [`${before.token} and ${token} both have the id ${id}`] : []
    })
  }

  #owes({ subject, to, id }: Accepted, { user, subjects }: Heard): Owed {
    if (subject === null) return to === user || to === EVERYONE ? 'yes' : 'no'
    if (subject === user || subjects.includes(subject)) return 'yes'
    let owed: Owed = 'no'
    const changes = this.#changes.get(`${user} ${subject}`) ?? []
    const isHidden = (barrier: string) =>
      barrier >= id && changes.some(({ after, before }) => before > id && after <= barrier)
    if (this.barriers.some(isHidden)) return 'perhaps'
    for (const change of changes) {
      if (id <= change.after) break
      if (id < change.before) return 'perhaps'
      owed = change.follows ? 'yes' : 'no'
    }
    return owed
  }

  /** Where in the log a message is, or belongs. */
  #placeOf(id: string): number {
    let [low, high] = [0, this.#sorted.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sorted[middle] as Accepted).id <= id) low = middle + 1
      else high = middle
    }
    return low
  }

  /** What is wrong with what a client was told; up to the last message that was accepted. */
  judge(heard: Heard): string[] {
    const wrong: string[] = []
    const say = (what: string) => wrong.push(`${heard.format} ${heard.user}: ${what}`)
    let place = ''
    for (const { id, body, gap } of heard.told) {
      if (gap !== undefined) {
        if (place !== '') this.#judgeGap(heard, place, gap, say)
        place = gap.resume
      } else if (body === undefined) {
        if (id === undefined) continue
        if (place === '') place = id
        else if (id !== place) say(`it went on from ${id} and not ${place}`)
      } else {
        this.#judgeMessage(heard, place, id, body, say)
        place = id ?? place
      }
    }
    this.#judgeSilence(heard, place, '~', say)
    return wrong
  }

  #judgeMessage(
    heard: Heard,
    place: string,
    id: string | undefined,
    body: string,
    say: (what: string) => void,
  ): void {
    const token = body.split('\n', 1)[0] ?? ''
    const message = this.#byToken.get(token)
    if (message === undefined) {
      say(`${token} was never accepted`)
      return
    }
    if (id !== undefined && message.id !== id)
      say(`${token} is ${id}, its publisher has ${message.id}`)
    if (body.length !== message.bytes) say(`${token} has ${body.length} of ${message.bytes} bytes`)
    if (message.id <= place) say(`${token} ${message.id} came again, or late, after ${place}`)
    if (this.#owes(message, heard) === 'no')
      say(`${token} ${message.id} is not for it: ${JSON.stringify(message)}`)
    this.#judgeSilence(heard, place, message.id, say)
  }

  /** Nothing that it is owed may be between two places. */
  #judgeSilence(heard: Heard, from: string, to: string, say: (what: string) => void): void {
    for (let at = this.#placeOf(from); at < this.#sorted.length; at++) {
      const message = this.#sorted[at] as Accepted
      if (message.id >= to) return
      if (this.#owes(message, heard) === 'yes') {
        say(
          `${message.token} ${message.id} is missing between ${from} and ${to}: ${JSON.stringify(message)}`,
        )
      }
    }
  }

  #judgeGap(
    heard: Heard,
    place: string,
    { after, resume, reason }: NonNullable<Told['gap']>,
    say: (what: string) => void,
  ): void {
    const told = `a gap ${reason} from ${after} to ${resume}`
    // A poll goes on from where it was told that nothing else is for it.
    if (after < place) say(`${told}, though it was at ${place}`)
    this.#judgeSilence(heard, place, `${after}~`, say)
    let [owed, owedBytes, bytes] = [0, 0, 0]
    for (let at = this.#placeOf(place); at < this.#sorted.length; at++) {
      const message = this.#sorted[at] as Accepted
      bytes += message.bytes + 16
      if (message.id > resume) continue
      if (this.#owes(message, heard) === 'no') continue
      owed++
      owedBytes += message.bytes
    }
    if (reason === 'too_many') {
      if (owed <= REPLAYED_MAX && owedBytes <= REPLAYED_BYTES_MAX)
        say(`${told}, of ${owed} messages`)
      return
    }
    if (reason === 'unknown') {
      say(told)
      return
    }
    // What had left the window is not known once a server was killed.
    const wasKilled = this.kills.some((id) => id >= place)
    const hasLost = bytes > this.#windowBytes / 2
    if (!hasLost || (owed === 0 && !wasKilled && !this.#hasChanged(heard, place))) {
      say(`${told}, with ${owed} messages for it and ${bytes} bytes since`)
    }
  }

  #hasChanged({ user }: Heard, since: string): boolean {
    for (const [key, changes] of this.#changes) {
      if (key.startsWith(`${user} `) && changes.some(({ before }) => before > since)) return true
    }
    return false
  }
}
