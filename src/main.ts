// The entry: comet's own processes go straight to their work, everybody else to the command line.
// It exports nothing, and it alone ends the process.

import './core/production.ts'
import { ownProcess } from './cli/own.ts'

const words = process.argv.slice(2)
const own = ownProcess(words[0])
if (own !== undefined) process.exit(await own())

const { runProgram } = await import('./cli/program.ts')
const code = await runProgram(words)
// What was written must be out before the process ends, also into a slow pipe.
await new Promise<void>((resolve) => process.stderr.write('', () => resolve()))
process.exit(code)
