// comet's side of the delivery benchmark: the product's own store, router, transport and port, with
// a publisher inside the process, so that deliveries are measured and not requests. It takes `each`
// and `random` of deliveries.h on standard input and is compiled like the product.

import '../../src/core/production.ts'
import { systemClock } from '../../src/core/clock.ts'
import { historyLimits } from '../../src/core/history-limits.ts'
import { streamLimits } from '../../src/core/limits.ts'
import { type Listener, listen } from '../../src/http/listener.ts'
import { Dispatcher } from '../../src/hub/dispatcher.ts'
import { LocalRegistry } from '../../src/hub/local-registry.ts'
import { LocalOutlet } from '../../src/hub/outlet.ts'
import { PublicationKeys } from '../../src/hub/publication-keys.ts'
import { Resumption } from '../../src/hub/resumption.ts'
import { Router } from '../../src/hub/router.ts'
import { settingsOf } from '../../src/hub/settings.fixture.ts'
import { StreamStore } from '../../src/hub/store.ts'
import { UNLIMITED } from '../../src/hub/stream.ts'
import { LocalBus } from '../../src/log/local-bus.ts'
import { memoryLog } from '../../src/log/ring-log.ts'
import type { RequestedStream } from '../../src/public/admission.ts'
import { publicApp, publicRejection } from '../../src/public/app.ts'
import { openDescriptorWire } from '../../src/public/wire-check.ts'
import { FollowIndex } from '../../src/subscriptions/follow-index.ts'
import { NameTable } from '../../src/subscriptions/name-table.ts'

/** Messages published in one turn of the loop, as in floor.c. */
const TURN_MESSAGES = 256

/** The 30 bytes of `CHUNK` in deliveries.h. */
const BODY = 'Fake message of thirty bytes.\n'

const settings = settingsOf({
  outboxBytes: 64 * 1024,
  userIdMax: streamLimits.userIdMaxDefault,
})
const streams = new StreamStore({ settings, clock: systemClock })
const outlet = new LocalOutlet(streams)
const followers = new FollowIndex()
const messages = memoryLog({ bytes: historyLimits.bytesDefault, clock: systemClock })
const dispatcher = new Dispatcher({ followers })
dispatcher.open(outlet)
const bus = new LocalBus(messages, dispatcher)
const resumption = new Resumption({ bus, subscriptions: followers })
const names = new NameTable({ seed: 1 })
const router = new Router({
  outlet,
  bus,
  keys: new PublicationKeys({ log: messages, clock: systemClock }),
  names,
  settings,
})

const opened = await openDescriptorWire(systemClock, fail)
const descriptors = opened.ok ? opened.value : fail(opened.why)
descriptors.owner = streams

function openPort(): Listener {
  const result = listen({
    addresses: [{ hostname: '127.0.0.1', port: 0 }],
    isShared: false,
    ...publicApp({
      store: streams,
      registry: new LocalRegistry(streams, outlet, { resumption, names }),
      descriptors,
      onEnding: () => undefined,
      // Admission comes once a stream, before the clock starts.
      admission: {
        admitsAll: () => true,
        admitNow: Number,
        admit: admitAll,
        authorize: async (_, of) => admitAll(_, of),
        refuseOrigin: () => ({ admitted: false, reason: 'origin', retryAfterSeconds: null }),
      },
      isReady: () => true,
      clock: systemClock,
      settings,
    }),
    rejection: publicRejection,
    headMs: () => streamLimits.headTimeoutMsMax,
    idleMs: streamLimits.publicIdleMs,
    ...{ clock: systemClock, onBug: fail },
  })
  return result.ok ? result.value : fail(result.why)
}

function admitAll(_: unknown, { user }: RequestedStream) {
  return { admitted: true, ...UNLIMITED, user: Number(user ?? 0), token: null } as const
}

function fail(error: unknown): never {
  console.error('fault:', error)
  process.exit(1)
}

/** Marsaglia's xorshift of 32 bits, as in deliveries.h; the first user is 1. */
function randomUsers(users: number, seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return 1 + (state % users)
  }
}

function usersInOrder(): () => number {
  let user = 0
  return () => ++user
}

/** Milliseconds for clients to take what is queued: a run of the bench takes seconds. */
const DRAIN_MS_MAX = 60_000

/** Returns how many streams took a message, once nothing is queued any more. */
async function publish(messages: number, nextUser: () => number): Promise<number> {
  const receipt = router.receipt()
  for (let sent = 0; sent < messages; ) {
    for (const turn = Math.min(messages, sent + TURN_MESSAGES); sent < turn; sent++) {
      router.publish({ to: nextUser(), body: BODY }, receipt)
    }
    await new Promise(setImmediate)
  }
  const deadlineMs = performance.now() + DRAIN_MS_MAX
  while (streams.queuedBytes > 0) {
    if (performance.now() > deadlineMs) {
      throw new Error(`${streams.queuedBytes} bytes still wait after ${DRAIN_MS_MAX} ms`)
    }
    await new Promise(setImmediate)
  }
  return receipt.delivered
}

console.log(`listening ${openPort().port}`)
for await (const line of console) {
  const [command, ...numbers] = line.split(' ')
  const [messages = 0, users = 0, seed = 0] = numbers.map(Number)
  const delivered =
    command === 'random'
      ? await publish(messages, randomUsers(users, seed))
      : await publish(messages, usersInOrder())
  console.log(`sent ${delivered}`)
}
