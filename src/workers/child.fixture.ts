// A worker process for tests: the real end of the link over a real store, but with made-up streams
// instead of a port. Its argument says what else it does.

import { systemClock } from '../core/clock.ts'
import type { LogLine } from '../core/recent-log.ts'
import { type Result, refused, success } from '../core/result.ts'
import { until } from '../core/time.fixture.ts'
import { NO_TOTALS, streamFigures } from '../hub/figures.ts'
import { CONFIG, settingsOf } from '../hub/settings.fixture.ts'
import { StreamStore } from '../hub/store.ts'
import { connectStream } from '../hub/stream.fixture.ts'
import { LINK_DESCRIPTOR } from '../os/subprocess.ts'
import { type Parent, runChild, type WorkerPort } from './child.ts'
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

/** The one line of its log. */
export const CHILD_LINE: LogLine = {
  ...{ timeMs: 1_700_000_000_000, level: 'warn', event: 'test', message: 'A line.' },
  fields: { count: 3 },
}

export function startOf(number: number): WorkerStart {
  return {
    number,
    sharesCores: false,
    isOfCrowd: false,
    addresses: [{ hostname: '127.0.0.1', port: 0 }],
    config: { ...CONFIG, userIdMax: 100, outboxBytes: 100, streamsMax: 10 },
  }
}

async function open(start: WorkerStart, { registryOf }: Parent): Promise<Result<WorkerPort>> {
  const store: StreamStore = new StreamStore({
    settings: settingsOf(start.config),
    clock: systemClock,
    onEnd: (_, reason, slot) => pendingStreams.onEnd(slot, reason),
  })
  const pendingStreams = registryOf(store)
  const streams = CHILD_USERS.map((user) => connectStream(store, user))
  for (const { slot } of streams) pendingStreams.register(slot, null)
  await until('all are registered', () => store.open === streams.length)
  for (const stream of streams) if (stream.user === 3) stream.answer = 'full'
  return success({
    store,
    ready: () => undefined,
    figures: () =>
      streamFigures(store, {
        ...{
          limit: start.config.streamsMax ?? 0,
          refused: NO_TOTALS.refused,
          full: false,
          openFiles: 5,
        },
        ...{ unacknowledgedBytes: 0, unmeasured: 0 },
        wire: { kind: 'socket', reason: 'a test' },
      }),
    change: () => undefined,
    drain: async () => {
      store.drain(CHILD_USERS.length)
      return true
    },
  })
}

if (import.meta.main) {
  const kind = process.argv[2]
  const onEnd = () => process.exit(0)
  if (kind === 'exits') process.exit(3)
  else if (kind === 'closes') {
    // It goes on living without its link.
    setInterval(() => undefined, 1_000)
    const owner = { onRecord: () => link.close(), onClose: () => undefined }
    const link = await Link.open(LINK_DESCRIPTOR, owner, { requestMsMax: 1_000 })
  } else if (kind === 'refuses')
    await runChild({
      onEnd,
      logLinesDropped: () => 0,
      newLogLines: () => [],
      open: async () => refused('the port is in use'),
    })
  else {
    const lines = [CHILD_LINE]
    const newLogLines = () => lines.splice(0)
    await runChild({ onEnd, logLinesDropped: () => 0, newLogLines, open })
  }
}
