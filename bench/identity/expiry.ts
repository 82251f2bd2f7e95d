// Expiry: what it costs that the tokens of a million streams expire in the same second. The store
// is the product's; its streams are closed as soon as they end, by no kernel. The clock of the
// store is moved by hand from one look to the next, over the time that the ends are spread over,
// and stands still while a look leaves some that are due; the figures are of the looks alone.

import { heapStats } from 'bun:jsc'
import { identityLimits } from '../../src/core/identity-limits.ts'
import { FakeClock } from '../../src/core/time.fixture.ts'
import { Expiries } from '../../src/hub/expiries.ts'
import { settingsOf } from '../../src/hub/settings.fixture.ts'
import { StreamStore } from '../../src/hub/store.ts'
import { type StreamKind, UNLIMITED } from '../../src/hub/stream.ts'
import { type Case, nothingToClose } from '../harness/case.ts'

const STREAMS = 1_000_000
/** Looks that find none due, of one measurement. */
const IDLE_LOOKS = 200
/** What an older call has left on the stack counts as in use, until something else is there. */
const COLLECTIONS = 4
/** Seconds until the tokens expire. */
const TTL_SECONDS = 3_600
const { expiryCheckEveryMs, expirySpreadMs } = identityLimits

type Figure = 'bytes' | 'idleMicros' | 'endMicros' | 'longestMs'

export const expiry: Case<Figure> = {
  name: 'expiry',
  figures: {
    bytes: { title: 'memory that its expiry takes, a stream', unit: 'bytes', digits: 1 },
    idleMicros: { title: 'a look at a million streams, none due', unit: 'µs', digits: 0 },
    endMicros: { title: 'CPU time a stream that expires', unit: 'µs', digits: 2 },
    longestMs: { title: '  longest look of those at a million', unit: 'ms', digits: 1 },
  },
  open: async () => ({ run, ...nothingToClose }),
}

async function run(): Promise<Record<Figure, number>> {
  const clock = new FakeClock()
  const expiresAtSeconds = Math.floor(clock.nowMs() / 1_000) + TTL_SECONDS
  const bytes = await bytesOf(expiresAtSeconds)
  const store = storeWith(clock, expiresAtSeconds)
  // One moment too early.
  clock.advance(expiresAtSeconds * 1_000 - 1 - clock.nowMs())
  const idleMicros = microsPerIdleLook(store)
  clock.advance(1)
  return { bytes: bytes / STREAMS, idleMicros, ...endAll(store, clock) }
}

/** Memory of the table in which the store has the times at which its streams end. */
async function bytesOf(expiresAtSeconds: number): Promise<number> {
  const before = await heapBytes()
  const expiries = new Expiries(() => undefined)
  for (let slot = 1; slot <= STREAMS; slot++) expiries.set(slot, expiresAtSeconds)
  const bytes = (await heapBytes()) - before
  if (expiries.count !== STREAMS) throw new Error(`${expiries.count} streams have a time`)
  return bytes
}

/** Of what is in use, typed arrays included. */
async function heapBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let collections = 0; collections < COLLECTIONS; collections++) {
    await Bun.sleep(1)
    Bun.gc(true)
    const { heapSize, extraMemorySize } = heapStats()
    least = Math.min(least, heapSize + extraMemorySize)
  }
  return least
}

function storeWith(clock: FakeClock, expiresAtSeconds: number): StreamStore {
  const settings = settingsOf()
  const store = new StreamStore({ settings, clock })
  const kind = closingAtOnce(store)
  for (let user = 1; user <= STREAMS; user++) {
    const slot = store.reserve(user, { ...UNLIMITED, expiresAtSeconds })
    store.connect(slot, kind)
    store.register(slot)
  }
  return store
}

/** Streams that take every byte, and whose connections are closed when they end. */
function closingAtOnce(store: StreamStore): StreamKind {
  const lastChunk = Buffer.from('0\r\n\r\n')
  return {
    wire: {
      write: (_slot, _bytes, length) => length,
      end: (slot) => store.onClose(slot),
      halfClose: unexpected,
      cut: unexpected,
      descriptorOf: unexpected,
      onEnding: unexpected,
    },
    input: null,
    hasCursor: false,
    tellsGaps: false,
    opening: () => new Uint8Array(0),
    encode: unexpected,
    heartbeat: new Uint8Array(0),
    ending: () => lastChunk,
  }
}

function unexpected(): never {
  throw new Error('each stream of this benchmark is to end properly, and nothing else')
}

function microsPerIdleLook(store: StreamStore): number {
  const startedMs = performance.now()
  for (let look = 0; look < IDLE_LOOKS; look++) store.endExpired()
  const micros = (performance.now() - startedMs) * 1_000
  if (store.open !== STREAMS) throw new Error(`${STREAMS - store.open} streams ended too early`)
  return micros / IDLE_LOOKS
}

/** From the second in which all tokens expire. */
function endAll(store: StreamStore, clock: FakeClock) {
  let longestMs = 0
  const cpuBefore = process.cpuUsage()
  for (let pastMs = 0; pastMs <= expirySpreadMs; pastMs += expiryCheckEveryMs) {
    for (let next = 'now'; next === 'now'; ) {
      const startedMs = performance.now()
      next = store.endExpired()
      longestMs = Math.max(longestMs, performance.now() - startedMs)
    }
    if (pastMs < expirySpreadMs / 2 && store.open < STREAMS / 3) {
      throw new Error(`${store.open} streams are left after ${pastMs} ms: they are not spread`)
    }
    clock.advance(expiryCheckEveryMs)
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  const { expired } = store.closed
  if (store.open !== 0 || expired !== STREAMS || store.endExpired() !== 'never') {
    throw new Error(`${expired} streams ended as expired, and ${store.open} are left`)
  }
  return { endMicros: (user + system) / STREAMS, longestMs }
}
