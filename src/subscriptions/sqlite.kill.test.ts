// Goal: what was acknowledged is there after the process was killed, and of what was not, all or
// nothing. Method: another process writes and tells; it is killed after a random number of changes.

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

/** Starts a writer, kills it once it has had so many changes acknowledged; answers what it told. */
async function killedAfter(changes: number, path: string, seed: number): Promise<string[]> {
  await using writer = Bun.spawn([process.execPath, WRITER, path, `${seed}`, '1000000000'], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const decoder = new TextDecoder()
  let told = ''
  let lines = 0
  for await (const bytes of writer.stdout) {
    const part = decoder.decode(bytes, { stream: true })
    told += part
    lines += part.split('\n').length - 1
    // The first says that the file is open; every change has two.
    if (lines > changes * 2) writer.kill('SIGKILL')
  }
  await writer.exited
  expect([writer.signalCode, await writer.stderr.text()]).toEqual(['SIGKILL', ''])
  return told.split('\n').slice(0, -1)
}

interface Told {
  readonly action: 'add' | 'remove'
  readonly pairs: Pair[]
}

function parse(line: string): Told {
  const [action, ...ids] = line.split(' ')
  if (action !== 'add' && action !== 'remove') throw new Error(`the writer said: ${line}`)
  const pairs = ids.flatMap((id, at): Pair[] =>
    at % 2 === 0 ? [[Number(id), Number(ids[at + 1])]] : [],
  )
  return { action, pairs }
}

/** Makes the acknowledged changes; answers the one under way, if there was one. */
function follow(lines: readonly string[], model: Model): Told | null {
  const [first, ...rest] = lines
  expect(first).toBe('open')
  let underWay: Told | null = null
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

test('every acknowledged change is there after a kill, round after round', async () => {
  const path = `${folder}/comet.db`
  const below = randomFrom(20_261_124)
  let model = new Model()
  for (let round = 1; round <= ROUNDS; round++) {
    const lines = await killedAfter(below(CHANGES_MAX), path, round)
    const underWay = follow(lines, model)
    const store = openStore(path)
    const withIt = model.copy()
    if (underWay !== null) withIt[underWay.action](underWay.pairs)
    // Nobody was told of the last one: it may be there as a whole.
    const isThere = withIt.pairs().every(([from, to]) => store.has(from, to))
    const subscriptions = store.counts().subscriptions
    if (isThere && subscriptions === withIt.pairs().length) model = withIt
    expectSame(store, model)
    store.close()
  }
})
