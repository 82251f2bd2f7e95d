// Goal: entries survive a kill of the process, and what is read after it is never wrong. Method:
// another process adds entries that follow from their numbers, and is killed at some moment.

import { expect, test } from 'bun:test'
import { randomFrom } from '../core/random.ts'
import { LogFolder, NAMELESS, reader } from './log.fixture.ts'
import type { MessageLog } from './message-log.ts'
import { addNext, messageOf } from './numbered.fixture.ts'
import { openLog } from './open-log.ts'

const ROUNDS = 25
const WINDOW_BYTES = 65_536
const LINES_MAX = 60
const READERS = 20

/** Starts the process, kills it after so many lines. Answers the last number that it told. */
async function killedAfter(lines: number, path: string): Promise<number> {
  const program = `${import.meta.dir}/numbered.fixture.ts`
  await using child = Bun.spawn([process.execPath, program, path, `${WINDOW_BYTES}`], {
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const decoder = new TextDecoder()
  let output = ''
  for await (const bytes of child.stdout) {
    output += decoder.decode(bytes, { stream: true })
    if (output.split('\n').length > lines) child.kill('SIGKILL')
  }
  await child.exited
  expect([child.signalCode, await child.stderr.text()]).toEqual(['SIGKILL', ''])
  return Number(output.split('\n').at(-2))
}

/** Every message that is kept is what its number says, and each reader finds its own. */
function expectRight(log: MessageLog): void {
  const numbers = Array.from({ length: log.last - log.oldest + 1 }, (_, at) => log.oldest + at)
  for (const number of numbers) {
    const message = messageOf(number)
    if (message === null) continue
    const { bytes, number: _, ...rest } = log.read(number)
    const { bytes: wanted, ...wantedRest } = message
    expect(Buffer.from(bytes).equals(wanted)).toBe(true)
    expect(rest).toEqual(wantedRest)
  }
  for (let id = 1; id <= READERS; id++) {
    const wanted = numbers.filter((number) => {
      const message = messageOf(number)
      return message !== null && (message.target === id || message.target === 0)
    })
    expect(log.missedBy(reader(id), log.oldest - 1)).toEqual({ numbers: wanted })
  }
}

test('a log is whole after a kill in the middle of writing, round after round', async () => {
  using folder = new LogFolder()
  const random = randomFrom(20_261_130)
  const open = () => openLog({ ...NAMELESS, path: folder.path, bytes: WINDOW_BYTES })
  const { epoch } = open().log
  let last = 0
  for (let round = 0; round < ROUNDS; round++) {
    const told = await killedAfter(1 + random(LINES_MAX), folder.path)
    const { log, note } = open()
    expect([note, log.epoch, told >= last, log.last >= told]).toEqual([null, epoch, true, true])
    expectRight(log)
    // The window is full, but for its longest entry.
    if (log.oldest > 1) expect(log.last - log.oldest).toBeGreaterThan(200)
    last = addNext(log)
  }
}, 60_000)
