// A program for io.test.ts: draws and speaks in turn, then ends as its argument says. Run by itself
// on a terminal, never imported.

import { processIo } from './io.ts'

const io = processIo()
const live = io.openLive()
io.words(live === null ? 'cannot draw' : 'can draw')
io.words(io.wordsMayHaveColor ? 'has color' : 'has no color')
for (let at = 1; at <= 5; at++) {
  live?.draw((columns) => [`BLOCK ${at}`, `of ${columns} columns`])
  io.words(`words ${at}`)
}

const how = process.argv[2]
if (how === 'exit') process.exit(3)
if (how === 'throw') throw new Error('nobody catches this')
if (how === 'stop') io.words(`stopped by ${await io.nextSignal()}`)
// For a signal that nobody else waits for.
if (how === 'wait') await new Promise(() => setInterval(() => undefined, 1_000))
live?.close()
io.words('afterwards')
