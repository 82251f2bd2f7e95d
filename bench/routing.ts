// Routing: what a message about a subject costs by the number of its followers, apart from the
// kernel. The router and the store are the product's; the streams only count what they get.

import { systemClock } from '../src/core/clock.ts'
import { historyLimits } from '../src/core/history-limits.ts'
import { Dispatcher } from '../src/hub/dispatcher.ts'
import { LocalOutlet } from '../src/hub/outlet.ts'
import { PublicationKeys } from '../src/hub/publication-keys.ts'
import { Router } from '../src/hub/router.ts'
import { settingsOf } from '../src/hub/settings.fixture.ts'
import { StreamStore } from '../src/hub/store.ts'
import { type StreamKind, UNLIMITED } from '../src/hub/stream.ts'
import { LocalBus } from '../src/log/local-bus.ts'
import { memoryLog } from '../src/log/ring-log.ts'
import { FollowIndex } from '../src/subscriptions/follow-index.ts'
import { NameTable } from '../src/subscriptions/name-table.ts'
import { type Case, nothingToClose } from './harness/case.ts'

const FAN_OUTS = [1, 15, 1_000, 5_000] as const
type Figure = `followers${(typeof FAN_OUTS)[number]}`

/** Deliveries of one measurement, at any fan-out. */
const DELIVERIES = 2_000_000

let taken = 0

const counting: StreamKind = {
  wire: {
    write: (_slot, _bytes, length) => {
      taken++
      return length
    },
    end: unexpected,
    halfClose: unexpected,
    cut: unexpected,
    descriptorOf: unexpected,
    onEnding: unexpected,
  },
  input: null,
  hasCursor: false,
  tellsGaps: false,
  opening: () => new Uint8Array(0),
  encode: ({ bytes }) => bytes,
  heartbeat: new Uint8Array(0),
  ending: unexpected,
}

function unexpected(): never {
  throw new Error('no stream of this benchmark is to end')
}

const figureOf = (fanOut: number) => ({
  title: `a message to ${fanOut} followers and the subject`,
  unit: 'µs',
  digits: 2,
})

export const routing: Case<Figure> = {
  name: 'routing',
  figures: {
    followers1: figureOf(1),
    followers15: figureOf(15),
    followers1000: figureOf(1_000),
    followers5000: figureOf(5_000),
  },
  open: async () => ({ run, ...nothingToClose }),
}

async function run(): Promise<Record<Figure, number>> {
  const entries = FAN_OUTS.map((fanOut) => [`followers${fanOut}`, microsPerMessage(fanOut)])
  return Object.fromEntries(entries) as Record<Figure, number>
}

/** Followers are spread over 100,000 connected users, so that each is somewhere else in memory. */
function microsPerMessage(fanOut: number): number {
  const users = 100_000
  const settings = settingsOf({ outboxBytes: 64 * 1024 })
  const streams = new StreamStore({ settings, clock: systemClock })
  for (let user = 1; user <= users; user++) {
    const slot = streams.reserve(user, UNLIMITED)
    streams.connect(slot, counting)
    streams.register(slot)
  }
  const rows = Array.from({ length: fanOut }, (_, at) => ({
    subject: 1,
    subscriber: 2 + at * Math.floor((users - 2) / fanOut),
  }))
  const log = memoryLog({ bytes: historyLimits.bytesDefault, clock: systemClock })
  const outlet = new LocalOutlet(streams)
  const followers = new FollowIndex({ rows, subjects: 1, pairs: fanOut })
  const dispatcher = new Dispatcher({ followers })
  dispatcher.open(outlet)
  const router = new Router({
    outlet,
    names: new NameTable({ seed: 1 }),
    bus: new LocalBus(log, dispatcher),
    keys: new PublicationKeys({ log, clock: systemClock }),
    settings,
  })
  const receipt = router.receipt()
  const messages = Math.ceil(DELIVERIES / (fanOut + 1))
  taken = 0
  const startedMs = performance.now()
  for (let message = 0; message < messages; message++) {
    router.publish({ subject: 1, body: 'Fake message of thirty bytes.' }, receipt)
    // Each in a turn of its own, so that all its deliveries are writes.
    streams.flush()
  }
  const micros = (performance.now() - startedMs) * 1_000
  if (taken !== messages * (fanOut + 1)) throw new Error(`${taken} deliveries were counted`)
  return micros / messages
}
