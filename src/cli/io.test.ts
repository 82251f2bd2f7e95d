// Goal: messages above lines that are drawn in place stay whole, and the terminal gets its cursor
// back however the program ends. Method: a small program on a pseudo-terminal, its screen read.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { until } from '../core/time.fixture.ts'
import { type OnTerminal, startOnTerminal } from './pty.fixture.ts'

const PROGRAM = [process.execPath, `${import.meta.dir}/io.fixture.ts`]
const WORDS = ['can draw', 'has color', ...[1, 2, 3, 4, 5].map((at) => `words ${at}`)].join('\n')
const BLOCK = 'BLOCK 5\nof 39 columns'

function start(how: string, env: Record<string, string> = {}): OnTerminal {
  return startOnTerminal([...PROGRAM, how], { columns: 40, rows: 10 }, env)
}

/** Waits for the text on the screen and the state of the cursor. */
async function untilScreen(running: OnTerminal, text: string, cursorIsHidden: boolean) {
  const found = () => ({ text: running.screen().text, hidden: running.screen().cursorIsHidden })
  try {
    await until('the screen is right', () => {
      const { text: now, hidden } = found()
      return now.startsWith(text) && hidden === cursorIsHidden
    })
  } catch {
    expect(found()).toEqual({ text, hidden: cursorIsHidden })
  }
}

/** `T` is stopped; the name before it may have spaces. */
function stateOf(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0]
}

describe('on a terminal', () => {
  test('the lines are below all messages, and go when they are closed', async () => {
    await using running = start('close')
    expect(await running.process.exited).toBe(0)
    await untilScreen(running, `${WORDS}\nafterwards`, false)
    expect(running.screen().text).not.toContain('BLOCK')
  })

  test('the cursor comes back at an exit in the middle', async () => {
    await using running = start('exit')
    expect(await running.process.exited).toBe(3)
    await untilScreen(running, `${WORDS}\n${BLOCK}`, false)
  })

  test('the cursor comes back after an uncaught error, and the error can be read', async () => {
    await using running = start('throw')
    expect(await running.process.exited).toBe(1)
    await untilScreen(running, `${WORDS}\n${BLOCK}`, false)
    await until('the error', () => running.screen().text.includes('error: an uncaught error'))
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)(
    'an unhandled %s ends it as usual, with the cursor and without the lines',
    async (signal) => {
      await using running = start('wait')
      await untilScreen(running, `${WORDS}\n${BLOCK}`, true)
      running.process.kill(signal)
      await running.process.exited
      expect(running.process.signalCode).toBe(signal)
      await untilScreen(running, WORDS, false)
      expect(running.screen().text).toBe(WORDS)
    },
  )

  test('a signal that the program waits for does not end it', async () => {
    await using running = start('stop')
    await untilScreen(running, `${WORDS}\n${BLOCK}`, true)
    running.process.kill('SIGTERM')
    expect(await running.process.exited).toBe(0)
    await untilScreen(running, `${WORDS}\nstopped by SIGTERM`, false)
  })

  test('the terminal is free while it is stopped', async () => {
    await using running = start('wait')
    await untilScreen(running, `${WORDS}\n${BLOCK}`, true)
    running.process.kill('SIGTSTP')
    await untilScreen(running, WORDS, false)
    await until('it is stopped', () => stateOf(running.process.pid) === 'T')
    running.process.kill('SIGCONT')
    await untilScreen(running, `${WORDS}\n${BLOCK}`, true)
  })

  test.each([
    [{ TERM: 'dumb' }, 'cannot draw\nhas no color'],
    [{ NO_COLOR: '1' }, 'can draw\nhas no color'],
    [{ NO_COLOR: '' }, 'can draw\nhas color'],
  ])('with %j it says %j', async (env, text) => {
    await using running = start('close', env)
    expect(await running.process.exited).toBe(0)
    await untilScreen(running, text, false)
  })
})

test('nothing is drawn where there is no terminal', async () => {
  const { stderr } = Bun.spawnSync([...PROGRAM, 'close'], { stdout: 'pipe', stderr: 'pipe' })
  const words = WORDS.replace('can draw', 'cannot draw').replace('has color', 'has no color')
  expect(stderr.toString()).toBe(`${words}\nafterwards\n`)
})
