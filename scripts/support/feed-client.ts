// A client of the feed of connections on the control port, for end-to-end tests: what it was told,
// as JSON objects, and who is connected by what it was told.

import { waitFor } from './child-process.ts'
import type { CometServer } from './comet.ts'
import { RawClient } from './raw-client.ts'

/** One line. */
export interface Told {
  readonly id?: string
  readonly event?: 'connected' | 'disconnected' | 'present'
  readonly snapshot?: string
  readonly user?: number | string
  readonly connection?: string
  readonly node?: string
  readonly online?: boolean
  readonly since?: string
  readonly at?: string
  readonly reason?: string
  readonly gap?: { readonly after: string; readonly resume: string; readonly reason: string }
  readonly end?: string
}

export class FeedClient implements Disposable {
  readonly client: RawClient

  private constructor(client: RawClient) {
    this.client = client
  }

  /**
   * Follows the feed, and waits until it knows where it is.
   *
   * @param query like `after=oldest`
   */
  static async open(
    server: Pick<CometServer, 'controlPort'>,
    query = '',
    fields = '',
  ): Promise<FeedClient> {
    const path = query === '' ? '/feed' : `/feed?${query}`
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`
    const feed = new FeedClient(await RawClient.open(server.controlPort, request))
    await waitFor('its place in the feed', () => feed.cursor !== '' || feed.client.end !== null)
    return feed
  }

  get #lines(): string[] {
    const text = Buffer.concat(this.client.chunks).toString('utf8')
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1)
  }

  /** All that it was told, in order. */
  get told(): Told[] {
    return this.#lines.flatMap((line) => (line === '' ? [] : (JSON.parse(line) as Told)))
  }

  /** Signs of life. */
  get beats(): number {
    return this.#lines.filter((line) => line === '').length
  }

  get events(): Told[] {
    return this.told.filter(({ event }) => event !== undefined && event !== 'present')
  }

  /** Is it told of all who were connected? */
  get isComplete(): boolean {
    return this.told.some(({ snapshot }) => snapshot === 'complete')
  }

  /** The connections that are open by all that it was told since the last gap, with their users. */
  get connections(): ReadonlyMap<string, number | string> {
    const open = new Map<string, number | string>()
    for (const { event, connection = '', user = 0, gap } of this.told) {
      if (gap !== undefined) open.clear()
      else if (event === 'disconnected') open.delete(connection)
      else if (event !== undefined) open.set(connection, user)
    }
    return open
  }

  /** The same in short: user, and `connected` or why not. */
  get short(): string[] {
    return this.events.map(({ user, event, reason }) => `${user} ${reason ?? event}`)
  }

  /** The last id that it was told; empty before the first one. */
  get cursor(): string {
    return this.told.findLast(({ id }) => id !== undefined)?.id ?? ''
  }

  get gap(): Told['gap'] {
    return this.told.find(({ gap }) => gap !== undefined)?.gap
  }

  /** Waits for an event, as `short` has it. */
  async has(event: string): Promise<void> {
    await waitFor(`${event} after ${this.short.join(', ')}`, () => this.short.includes(event))
  }

  /** Waits for so many events. */
  async hasCount(count: number): Promise<void> {
    await waitFor(`${count} events`, () => this.events.length >= count)
  }

  /** Users who are connected by these events, and the pages that were read behind its place. */
  online(users: readonly (number | string)[]): (number | string)[] {
    const online = new Set(users)
    for (const { user, online: isOnline } of this.events) {
      if (user === undefined) continue
      if (isOnline === true) online.add(user)
      else online.delete(user)
    }
    return [...online].toSorted()
  }

  [Symbol.dispose](): void {
    this.client.terminate()
  }
}
