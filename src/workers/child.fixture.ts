// A worker process for tests: the real end of the link over a real store, but with streams that it
// makes up instead of a port. What else it is to do, its argument says.

import { systemClock } from '../core/clock.ts'
import { NONE_REFUSED, streamFigures } from '../hub/figures.ts'
import { RecordingSink } from '../hub/sink.fixture.ts'
import { StreamStore } from '../hub/store.ts'
import { LINK_DESCRIPTOR } from '../os/subprocess.ts'
import { type Held, runWorkerEnd, type ToParent } from './child.ts'
import { Link } from './link.ts'
import type { WorkerStart } from './protocol.ts'

/** What it does other than its work. */
export type ChildKind = 'exits' | 'refuses' | 'closes' | 'works'

/** How the child is started. */
export function childCommand(kind: ChildKind): string[] {
  return [process.execPath, import.meta.path, kind]
}

/** Users of the streams that it opens at once; the one stream of the last reads nothing. */
export const CHILD_USERS = [1, 1, 2, 3] as const

export function startOf(number: number): WorkerStart {
  return {
    number,
    sharesCores: false,
    addresses: [{ hostname: '127.0.0.1', port: 0 }],
    streamsMax: 10,
    rules: {
      ...{ userIdMax: 100, outboxBytes: 100, certificate: null },
      ...{ perAddressMax: null, newPerSecondMax: null },
      proxies: { trusted: [], header: 'X-Forwarded-For' },
    },
    headTimeoutMs: 1_000,
    keepaliveMs: 0,
  }
}

function hold(start: WorkerStart, { pendingStreamsOf }: ToParent): Held {
  const store: StreamStore = new StreamStore({
    outboxBytes: start.rules.outboxBytes,
    clock: systemClock,
    onClose: (stream) => pendingStreams.gone(stream),
  })
  const pendingStreams = pendingStreamsOf(store)
  for (const user of CHILD_USERS)
    pendingStreams.enter(user, new RecordingSink(user === 3 ? 'queued' : 'sent'))
  return {
    store,
    pendingStreams,
    figures: () =>
      streamFigures(store, {
        ...{ limit: start.streamsMax ?? 0, refused: NONE_REFUSED, full: false, openFiles: 5 },
        ...{ unacknowledgedBytes: 0, unmeasured: 0 },
      }),
    change: () => undefined,
    drain: async () => {
      store.drain(CHILD_USERS.length)
      return true
    },
  }
}

if (import.meta.main) {
  const kind = process.argv[2]
  const onEnd = () => process.exit(0)
  if (kind === 'exits') process.exit(3)
  else if (kind === 'closes') {
    // It goes on living without its link.
    setInterval(() => undefined, 1_000)
    const link = await Link.open(LINK_DESCRIPTOR, {
      onRecord: () => link.close(),
      onClose: () => undefined,
    })
  } else if (kind === 'refuses')
    await runWorkerEnd({ onEnd, logLinesDropped: () => 0, hold: () => 'the port is in use' })
  else await runWorkerEnd({ onEnd, logLinesDropped: () => 0, hold })
}
