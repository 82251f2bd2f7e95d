// Goal: acknowledged changes survive a kill of the process, and others are there as a whole or not
// at all.
// Method: another process writes and reports; it is killed after a random number of changes.

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { randomFrom } from '../core/random.ts'
import { expectSame, Model, openStore, type Pair } from './model.fixture.ts'

const WRITER = `${import.meta.dir}/writer.fixture.ts`
const ROUNDS = 12
const CHANGES_MAX = 400

let folder: string

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/comet-kill-`)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Starts a writer, kills it after that many acknowledged changes; returns its output. */
async function killedAfter(changes: number, path: string, seed: number): Promise<string[]> {
  await using writer = Bun.spawn([process.execPath, WRITER, path, `${seed}`, '1000000000'], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const decoder = new TextDecoder()
  let output = ''
  let lines = 0
  for await (const bytes of writer.stdout) {
    const part = decoder.decode(bytes, { stream: true })
    output += part
    lines += part.split('\n').length - 1
    // The first line means that the file is open; every change has two.
    if (lines > changes * 2) writer.kill('SIGKILL')
  }
  await writer.exited
  expect([writer.signalCode, await writer.stderr.text()]).toEqual(['SIGKILL', ''])
  return output.split('\n').slice(0, -1)
}

interface Change {
  readonly action: 'add' | 'remove'
  readonly pairs: Pair[]
}

function parse(line: string): Change {
  const [action, ...ids] = line.split(' ')
  if (action !== 'add' && action !== 'remove') throw new Error(`the writer printed: ${line}`)
  const pairs = ids.flatMap((id, at): Pair[] =>
    at % 2 === 0 ? [[Number(id), Number(ids[at + 1])]] : [],
  )
  return { action, pairs }
}

/** Applies the acknowledged changes to the model; returns the one under way, or null. */
function follow(lines: readonly string[], model: Model): Change | null {
  const [first, ...rest] = lines
  expect(first).toBe('open')
  let underWay: Change | null = null
  for (const line of rest) {
    if (line !== 'ok') {
      underWay = parse(line)
    } else if (underWay !== null) {
      model[underWay.action](underWay.pairs)
      underWay = null
    }
  }
  return underWay
}

test('every acknowledged change survives a kill, round after round', async () => {
  const path = `${folder}/comet.db`
  const below = randomFrom(20_261_124)
  let model = new Model()
  for (let round = 1; round <= ROUNDS; round++) {
    const lines = await killedAfter(below(CHANGES_MAX), path, round)
    const underWay = follow(lines, model)
    const store = openStore(path)
    const withIt = model.copy()
    if (underWay !== null) withIt[underWay.action](underWay.pairs)
    // The last change was not acknowledged: it may be there as a whole.
    const isThere = withIt.pairs().every(([from, to]) => store.has(from, to))
    const subscriptions = store.counts().subscriptions
    if (isThere && subscriptions === withIt.pairs().length) model = withIt
    expectSame(store, model)
    store.close()
  }
})
