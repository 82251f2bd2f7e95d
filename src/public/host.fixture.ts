// A public port with the real app on a port of its own, asked over raw sockets: for the contract of
// transports over HTTP, and for tests of one of them.

import { expect } from 'bun:test'
import { type Ending, RawClient } from '../../scripts/support/raw-client.ts'
import { systemClock } from '../core/clock.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import type { Exchange } from '../http/exchange.ts'
import { type Listener, listen } from '../http/listener.ts'
import { ArrayLog } from '../hub/array-log.fixture.ts'
import { type Frame, newFrame } from '../hub/frame.ts'
import { LocalRegistry } from '../hub/local-registry.ts'
import { LocalOutlet } from '../hub/outlet.ts'
import { resumptionOf } from '../hub/resumption.fixture.ts'
import { settingsOf } from '../hub/settings.fixture.ts'
import { StreamStore } from '../hub/store.ts'
import { UNLIMITED } from '../hub/stream.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import type { AdmissionResult } from './admission.ts'
import { publicApp, publicRejection } from './app.ts'
import type { DescriptorWire } from './descriptor-wire.ts'
import {
  type HeldClient,
  OUTBOX_BYTES,
  type TransportClient,
  type TransportHost,
} from './transport.contract.ts'
import { openDescriptorWire } from './wire-check.ts'

const ENDINGS = {
  open: 'open',
  final: 'proper',
  cut: 'cut',
  reset: 'reset',
} as const satisfies Record<Ending, TransportClient['ending']>

/** What a client of one transport knows. */
export interface Protocol {
  pathOf(user: number): string
  /** Lines of the head of its request, beside the first ones. */
  readonly fields?: readonly string[]
  readerOf(raw: RawClient): ProtocolReader
}

/** Reads what a client gets. */
export interface ProtocolReader {
  /** What was published, in the order in which it came; the welcome first. */
  readonly received: readonly Uint8Array[]
  readonly ending: TransportClient['ending']
}

/** Of a transport whose messages are a chunk each. */
export function chunksOf(raw: RawClient): ProtocolReader {
  return readChunks(raw, (chunks) => chunks)
}

/** @param receivedIn what was published, in the chunks that came */
export function readChunks(
  raw: RawClient,
  receivedIn: (chunks: readonly Uint8Array[]) => readonly Uint8Array[],
): ProtocolReader {
  return {
    get received() {
      return receivedIn(raw.chunks)
    },
    get ending() {
      return ENDINGS[raw.ending]
    },
  }
}

/** What admission says, but for the user. */
export type Decision =
  | Omit<Extract<AdmissionResult, { readonly admitted: true }>, 'user'>
  | Extract<AdmissionResult, { readonly admitted: false }>

const ADMITTED: Decision = { admitted: true, ...UNLIMITED }

function resultOf(decision: Decision, user: number): AdmissionResult {
  return decision.admitted ? { ...decision, user } : decision
}

export class PublicHost implements TransportHost {
  readonly #settings = settingsOf({
    ...{ outboxBytes: OUTBOX_BYTES, userIdMax: 1_000, anonymous: true },
  })
  readonly clock = new FakeClock()
  readonly streams = new StreamStore({ settings: this.#settings, clock: this.clock })
  readonly log = new ArrayLog()
  /** Of every stream, for the user that it asks for. */
  admission: Decision | Promise<Decision> = ADMITTED
  isReady = true
  readonly bugs: unknown[] = []
  /** The requests that admission was asked for. */
  readonly asked: Exchange[] = []
  readonly port: number
  readonly #outlet = new LocalOutlet(this.streams)
  readonly #protocol: Protocol
  readonly #listener: Listener
  readonly #descriptors: DescriptorWire | null

  /** May connections stay outside of Bun? Then no request is in {@link asked}. */
  admitsAtOnce = false

  /** A host whose streams are descriptors, of connections that Bun has accepted. */
  static async onDescriptors(protocol: Protocol): Promise<PublicHost> {
    const onBug = (error: unknown) => host.bugs.push(error)
    const opened = await openDescriptorWire(systemClock, onBug)
    if (!opened.ok) throw new Error(opened.why)
    const host = new PublicHost(protocol, opened.value)
    return host
  }

  /** The same, of connections that Bun does not have if their request is whole. */
  static async accepting(protocol: Protocol): Promise<PublicHost> {
    const host = await PublicHost.onDescriptors(protocol)
    host.admitsAtOnce = true
    return host
  }

  /** @param descriptors is stopped with the host */
  constructor(protocol: Protocol, descriptors: DescriptorWire | null = null) {
    this.#protocol = protocol
    this.#descriptors = descriptors
    if (descriptors !== null) descriptors.owner = this.streams
    const onBug = (error: unknown) => {
      this.bugs.push(error)
    }
    const result = listen({
      isShared: false,
      addresses: [{ hostname: '127.0.0.1', port: 0 }],
      ...publicApp({
        store: this.streams,
        registry: new LocalRegistry(this.streams, this.#outlet, {
          resumption: resumptionOf(this.log),
          names: new NameTable({ seed: 1 }),
        }),
        descriptors,
        onEnding: (socket) => this.#listener.onEnding(socket),
        admission: {
          admitsAll: () => this.admitsAtOnce,
          admitNow: (user) => Number(user),
          authorize: async (_, { user }) => ({
            admitted: true,
            ...UNLIMITED,
            user: user ?? 0,
            token: null,
          }),
          refuseOrigin: () => ({ admitted: false, reason: 'origin', retryAfterSeconds: null }),
          admit: (head, { user }) => {
            this.asked.push(head as Exchange)
            return this.#decide(Number(user ?? 0))
          },
        },
        settings: this.#settings,
        clock: this.clock,
        isReady: () => this.isReady,
      }),
      rejection: publicRejection,
      headMs: () => 10_000,
      idleMs: 10_000,
      clock: systemClock,
      onBug,
    })
    if (!result.ok) throw new Error(result.why)
    this.#listener = result.value
    this.port = result.value.port
  }

  #decide(user: number): AdmissionResult | Promise<AdmissionResult> {
    const { admission } = this
    return admission instanceof Promise
      ? admission.then((decision) => resultOf(decision, user))
      : resultOf(admission, user)
  }

  async open(user: number): Promise<TransportClient> {
    const raw = await this.#ask('GET', user)
    const reader = this.#protocol.readerOf(raw)
    await until('the welcome has come', () => reader.received.length > 0)
    return {
      get received() {
        return reader.received
      },
      get ending() {
        return reader.ending
      },
      pause: () => raw.pause(),
      resume: () => raw.resume(),
      hangUp: () => raw.terminate(),
      [Symbol.dispose]: () => raw.terminate(),
    }
  }

  async openHeld(user: number): Promise<HeldClient> {
    const decision = Promise.withResolvers<Decision>()
    const { admission, admitsAtOnce } = this
    this.admitsAtOnce = false
    this.admission = decision.promise
    const asked = this.asked.length
    const client = this.open(user)
    await until('it has asked for its stream', () => this.asked.length > asked)
    this.admission = admission
    this.admitsAtOnce = admitsAtOnce
    return { client, letIn: () => decision.resolve(ADMITTED) }
  }

  /** A message to a user, as the router has it: in the log, and in this turn for who waits. */
  publish(user: number, body: string): Frame {
    const frame = newFrame(Buffer.from(body), false, user)
    frame.epoch = this.log.epoch
    frame.number = this.log.append(frame)
    this.streams.begin(frame, { settle: () => undefined, late: () => undefined })
    this.streams.deliver(user)
    return frame
  }

  #ask(method: string, user: number): Promise<RawClient> {
    const { pathOf, fields = [] } = this.#protocol
    const line = `${method} ${pathOf(user)} HTTP/1.1`
    return RawClient.request(this.port, line, ['Host: localhost', ...fields])
  }

  async openAndHangUp(user: number): Promise<void> {
    using _ = await this.#ask('GET', user)
  }

  async head(user: number): Promise<number> {
    using raw = await this.#ask('HEAD', user)
    return (await raw.headed()).status
  }

  /** Asks for something and answers all that came, once the response is over. */
  async ask(
    line: string,
    headers?: string[],
  ): Promise<{ status: number; fields: Map<string, string>; body: string }> {
    using raw = await RawClient.request(this.port, line, headers)
    const { status, fields } = await raw.headed()
    const length = Number(fields.get('content-length') ?? 0)
    if (!line.startsWith('HEAD')) await until('the body has come', () => raw.rest.length >= length)
    return { status, fields, body: raw.rest }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#listener.stop(0), this.#descriptors?.stop(0)])
    expect(this.bugs).toEqual([])
  }
}
