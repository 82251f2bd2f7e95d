// Goal: a line is written whole or dropped, without blocking and with nothing between its parts.
// Method: a writer that takes so many bytes; then real descriptors of each kind.

import { describe, expect, test } from 'bun:test'
import { LineOutput } from './line-output.ts'

/** Takes as many bytes as `room` says. */
function scarce() {
  const state = { room: 0, text: '' }
  const output = new LineOutput(-1, (bytes) => {
    const taken = bytes.subarray(0, state.room)
    state.room -= taken.length
    state.text += Buffer.from(taken).toString()
    return taken.length
  })
  return { state, output }
}

describe('with room for part of a line', () => {
  test('its rest is written before any other line', () => {
    const { state, output } = scarce()
    state.room = 4
    expect(output.line('first')).toBe(true)
    expect(output.line('second')).toBe(false)
    state.room = 100
    expect(output.line('third')).toBe(true)
    expect(state.text).toBe('first\nthird\n')
  })

  test('a line without any room is dropped as a whole', () => {
    const { state, output } = scarce()
    expect(output.line('dropped')).toBe(false)
    state.room = 100
    expect(output.line('written')).toBe(true)
    expect(state.text).toBe('written\n')
  })
})

const SCRIPT = `
  const { LineOutput } = await import(${JSON.stringify(`${import.meta.dir}/line-output.ts`)})
  const output = new LineOutput(2)
  let written = 0
  for (let at = 0; at < 5000; at++) if (output.line('x'.repeat(99))) written++
  console.log(written)`

/** How many of 5,000 lines a process writes whose standard error is what the shell makes of it. */
async function writtenTo(redirection: string): Promise<number> {
  const command = `"$0" -e "$1" 3>&1 ${redirection}`
  const child = Bun.spawn(['bash', '-c', command, process.execPath, SCRIPT], { stdout: 'pipe' })
  return Number(await new Response(child.stdout).text())
}

describe('standard error that is', () => {
  test.each([
    ['a file', '2>/dev/null', 5000, 5000],
    ['a full disk', '2>/dev/full', 0, 0],
    ['closed', '2>&-', 0, 5000],
    ['a pipe that is read', '2> >(cat >/dev/null)', 1, 5000],
    ['a pipe that is not read', '2> >(exec sleep 1)', 1, 1000],
    ['a pipe whose reader is gone', '2> >(exec true)', 0, 1000],
  ])('%s does not block', async (_what, redirection, atLeast, atMost) => {
    const written = await writtenTo(redirection)
    expect(written).toBeGreaterThanOrEqual(atLeast)
    expect(written).toBeLessThanOrEqual(atMost)
  })
})
