// The client of a server that delivers: receiver.c, which opens a stream a user, compares every
// byte, and says when the last of what it expects has arrived.

import type { ChildProcess } from '../../scripts/support/child-process.ts'
import { numberAfter, startProgram } from '../harness/process.ts'

/** Milliseconds for all streams to open, or for one job of a few million deliveries. */
export const STEP_MS_MAX = 120_000

/** Opens so many streams, for the users from 1 on; returns once all welcomes have come. */
export async function startReceiver(
  program: string,
  port: number,
  streams: number,
): Promise<ChildProcess> {
  const command = [program, String(port), String(streams)]
  const receiver = startProgram('receiver', command, { stdin: 'pipe' })
  try {
    await receiver.line('all welcomes', numberAfter('open'), STEP_MS_MAX)
    return receiver
  } catch (error) {
    await receiver[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * Tells the receiver what to expect, and has it sent. The clock stops when the last byte has
 * arrived; then the receiver compares what each stream got with what was for it.
 *
 * @param job a command of deliveries.h
 * @returns seconds from before it is sent
 */
export async function receive(
  receiver: ChildProcess,
  job: string,
  send: () => unknown,
): Promise<number> {
  receiver.send(job)
  await receiver.line('its readiness', numberAfter('expecting'), STEP_MS_MAX)
  const startedMs = performance.now()
  const [received] = await Promise.all([
    receiver
      .line('all messages', numberAfter('received'), STEP_MS_MAX)
      .then(() => performance.now()),
    send(),
  ])
  await receiver.line('its check of each stream', numberAfter('exact'), STEP_MS_MAX)
  return (received - startedMs) / 1000
}
