// What a stream hands out, for tests: its messages by its iterator, and its events.

import { until } from '../core/time.fixture.ts'
import type { CometEventMap, CometMessage, CometStream, ConnectOptions } from './api.ts'
import { connect } from './comet.ts'

/** Short waits, for tests on this machine. */
export const QUICK: ConnectOptions = { retryMs: 20, retryMsMax: 200, openMs: 300 }

const EVENTS = ['message', 'gap', 'open', 'reconnect', 'end', 'error', 'close'] as const

/** An open stream, which is closed with the scope, and what it has handed out. */
export class Received implements Disposable {
  readonly stream: CometStream
  readonly messages: CometMessage[] = []
  readonly events: { readonly type: string; readonly detail: unknown }[] = []
  /** What ended the iterator; null while it goes on. */
  ended: 'end' | Error | null = null

  constructor(url: string, options: ConnectOptions = {}) {
    this.stream = connect(url, { ...QUICK, ...options })
    for (const type of EVENTS) {
      if (type === 'message') continue
      this.stream.addEventListener(type, ({ detail }: CustomEvent<unknown>) => {
        this.events.push({ type, detail })
      })
    }
    this.#read()
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.stream) this.messages.push(message)
      this.ended = 'end'
    } catch (error) {
      this.ended = error as Error
    }
  }

  get bodies(): string[] {
    return this.messages.map(({ body }) => body ?? '')
  }

  details<Type extends keyof CometEventMap>(type: Type): CometEventMap[Type][] {
    return this.events
      .filter((event) => event.type === type)
      .map(({ detail }) => detail as CometEventMap[Type])
  }

  count(type: keyof CometEventMap): number {
    return this.details(type).length
  }

  /** Waits until it has been open so many times. */
  async opened(times = 1): Promise<void> {
    const isOpen = () => this.count('open') >= times && this.stream.state === 'open'
    await until(`it is open, in the state ${this.stream.state}`, isOpen)
  }

  /** Waits until so many messages have come. */
  async got(count: number): Promise<void> {
    await until(`${count} messages have come`, () => this.messages.length >= count)
  }

  [Symbol.dispose](): void {
    this.stream.close()
  }
}
