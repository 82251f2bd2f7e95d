// Streams of a peer with a protocol of its own: opened as fast as they answer, read, and reported
// once a second as comet flood does.

import { systemClock } from '../../src/core/clock.ts'
import { LoadWatch } from '../../src/core/loop.ts'
import { floodReport, floodSample } from '../../src/flood/flood-report.ts'
import { ProcessStats } from '../../src/flood/process-stats.ts'
import { ReceivedMessages } from '../../src/flood/received-messages.ts'
import { Totals } from '../../src/flood/totals.ts'
import { Connector } from '../harness/connector.ts'
import { MqttSubscriber } from './mqtt.ts'
import type { ProtocolListener, ProtocolReader } from './protocol.ts'
import { SocketIoStream } from './socket-io.ts'

const REPORT_EVERY_MS = 1_000

export type ClientProtocol = 'mqtt' | 'socketio'

export interface ReceiveOptions {
  readonly protocol: ClientProtocol
  readonly url: URL
  readonly connections: number
  readonly firstId: number
  /** Connections at a time that are not open yet. */
  readonly pendingMax: number
}

interface PeerStream {
  readonly index: number
  readonly reader: ProtocolReader
  readonly begunMs: number
  state: 'opening' | 'open' | 'over'
}

const READERS: Record<ClientProtocol, (url: URL, user: number) => ProtocolReader> = {
  mqtt: (_, user) => new MqttSubscriber(String(user)),
  socketio: ({ host }, user) => new SocketIoStream(host, user),
}

/** Receives until a signal ends it; prints a sample each second, and the report at the end. */
export async function receive(options: ReceiveOptions): Promise<void> {
  const { promise: interrupted, resolve } = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve)
  const streams = new PeerStreams(options)
  const totals = new Totals(1)
  const watch = new LoadWatch(systemClock, REPORT_EVERY_MS)
  const startedMs = systemClock.elapsedMs()
  const sample = () => {
    totals.onReport(0, streams.stats.report(watch.look()))
    const moment = { elapsedMs: systemClock.elapsedMs() - startedMs, nowMs: systemClock.nowMs() }
    const recent = totals.takeRecentLatency()
    console.log(JSON.stringify(floodSample(moment, totals.counters, totals.errors, recent)))
  }
  const timer = setInterval(sample, REPORT_EVERY_MS)
  await interrupted
  clearInterval(timer)
  streams.close()
  sample()
  const none = { promised: null, server: null, hasCursors: false, resumes: false }
  const facts = { wanted: options.connections, processes: 1, ...none }
  console.log(JSON.stringify(floodReport(facts, totals)))
}

export class PeerStreams implements ProtocolListener {
  readonly stats = new ProcessStats()
  readonly #options: ReceiveOptions
  readonly #connector: Connector<PeerStream>
  readonly #sockets = new Set<Bun.Socket<PeerStream>>()
  readonly #received: ReceivedMessages
  readonly #startedMs = systemClock.elapsedMs()
  #begun = 0
  #pending = 0
  #isClosing = false
  /** The connection whose bytes are being read, and when they came. */
  #socket: Bun.Socket<PeerStream> | null = null
  #atMicros = 0

  constructor(options: ReceiveOptions) {
    this.#options = options
    this.#received = new ReceivedMessages(options.firstId, this.stats, null)
    const { hostname, port } = options.url
    const shared = { hostname, port: Number(port), socket: this.#handlers }
    this.#connector = new Connector(shared, (stream) => {
      this.#onFault(stream, 'connect_failed')
    })
    this.#connectMore()
  }

  close(): void {
    this.#isClosing = true
    for (const socket of this.#sockets) socket.terminate()
  }

  readonly #handlers: Bun.SocketHandler<PeerStream> = {
    open: (socket) => {
      this.#sockets.add(socket)
      socket.write(socket.data.reader.greeting())
    },
    data: (socket, bytes) => {
      this.#socket = socket
      this.#atMicros = systemClock.nowMs() * 1000
      const fault = socket.data.reader.read(bytes, this)
      this.#socket = null
      if (fault === null) return
      this.#onFault(socket.data, fault)
      socket.terminate()
    },
    close: (socket, error) => {
      this.#sockets.delete(socket)
      this.#onFault(socket.data, error === undefined ? 'cut_short' : 'reset')
    },
  }

  onReply(bytes: Uint8Array): void {
    this.#socket?.write(bytes)
  }

  onOpen(): void {
    const stream = this.#socket?.data
    if (stream?.state !== 'opening') return
    stream.state = 'open'
    this.#pending--
    const nowMs = systemClock.elapsedMs()
    const { counters, connect } = this.stats
    connect.record((nowMs - stream.begunMs) * 1000)
    this.stats.openingMs = nowMs - this.#startedMs
    counters.opened++
    counters.settled++
    this.#connectMore()
  }

  /** Hot path: once a message. */
  onMessage(bytes: Uint8Array, start: number, end: number): void {
    const index = this.#socket?.data.index
    if (index === undefined) return
    this.#received.record(index, bytes, start, end, this.#atMicros)
  }

  #connectMore(): void {
    const { connections, pendingMax, firstId, protocol, url } = this.#options
    for (; this.#begun < connections && this.#pending < pendingMax; this.#pending++) {
      const index = this.#begun++
      const reader = READERS[protocol](url, firstId + index)
      const begunMs = systemClock.elapsedMs()
      this.#connector.connect({ index, reader, begunMs, state: 'opening' })
    }
  }

  #onFault(stream: PeerStream, kind: string): void {
    if (this.#isClosing || stream.state === 'over') return
    const { counters } = this.stats
    this.stats.countError(kind)
    const wasOpen = stream.state === 'open'
    stream.state = 'over'
    if (wasOpen) counters.closed++
    else {
      counters.failed++
      counters.settled++
      this.#pending--
      this.#connectMore()
    }
  }
}
