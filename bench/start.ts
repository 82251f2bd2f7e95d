// Start: a server that restarts quickly is away briefly. The clock runs from before the process is
// made until its log says that both ports are open.

import { type Case, nothingToClose } from './harness/case.ts'
import { Child } from './harness/child.ts'
import { listening, serveCommand } from './harness/comet.ts'

const LISTENING_MS_MAX = 10_000

export const start: Case<'milliseconds'> = {
  name: 'start',
  figures: { milliseconds: { title: 'from start to listening', unit: 'ms', digits: 1 } },
  runsMin: 11,
  open: async () => ({ run, ...nothingToClose }),
}

async function run() {
  const startedMs = performance.now()
  await using child = new Child('comet serve', serveCommand())
  const { controlUrl } = await child.line('its ports', listening, LISTENING_MS_MAX)
  const milliseconds = performance.now() - startedMs
  const response = await fetch(`${controlUrl}/livez`, {
    signal: AbortSignal.timeout(LISTENING_MS_MAX),
  })
  if (!response.ok) throw new Error(`it said it listens, but /livez answers ${response.status}`)
  return { milliseconds }
}
