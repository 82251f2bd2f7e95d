// Start: a server that restarts quickly is away briefly. The clock runs from before the process is
// made until its log says that both ports are open.

import { type Case, nothingToClose } from './harness/case.ts'
import { startServer } from './harness/comet.ts'

const ANSWER_MS_MAX = 10_000

export const start: Case<'milliseconds'> = {
  name: 'start',
  figures: { milliseconds: { title: 'from start to listening', unit: 'ms', digits: 1 } },
  runsMin: 11,
  open: async () => ({ run, ...nothingToClose }),
}

async function run() {
  await using server = await startServer()
  const answered = await fetch(`${server.controlUrl}/livez`, {
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  })
  if (!answered.ok)
    throw new Error(`its log says that it listens, but /livez is ${answered.status}`)
  return { milliseconds: server.startSeconds * 1000 }
}
