// Goal: what tests wait for ends, and says what it was. Method: waits for what never comes.

import { expect, test } from 'bun:test'
import { waitFor } from './child-process.ts'
import { NO_FILE, start } from './comet.ts'

test('a condition that never settles ends its wait', async () => {
  const waiting = waitFor('a look that hangs', () => new Promise<boolean>(() => undefined), 10)
  await expect(waiting).rejects.toThrow('a look that hangs')
})

test('a command that does not end in its time is killed, and is said to have not', async () => {
  const ports = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']
  await using running = start(['serve', ...ports, ...NO_FILE], { timeoutMs: 300 })
  await expect(running.finished).rejects.toThrow('comet serve to end')
  await running.exited
  expect(running.signalCode).toBe('SIGKILL')
})
