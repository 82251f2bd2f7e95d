// A program for io.test.ts: draws and speaks in turn, then ends as its argument says. Run by itself
// on a terminal, never imported.

import { processIo } from './io.ts'

const io = processIo()
const live = io.openLive()
io.stderr(live === null ? 'cannot draw' : 'can draw')
io.stderr(io.stderrHasColor ? 'has color' : 'has no color')
const draw = (at: number) => live?.draw((columns) => [`BLOCK ${at}`, `of ${columns} columns`])
for (let at = 1; at <= 5; at++) {
  draw(at)
  io.stderr(`words ${at}`)
}

const how = process.argv[2]
if (how === 'exit') process.exit(3)
if (how === 'throw') throw new Error('an uncaught error')
if (how === 'stop') io.stderr(`stopped by ${await io.nextSignal()}`)
// Until an unhandled signal; drawn all the time, so that the signal comes in between.
if (how === 'wait') await new Promise(() => setInterval(() => draw(5), 2))
live?.close()
io.stderr('afterwards')
