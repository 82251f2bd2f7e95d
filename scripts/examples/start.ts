// Starts an example: runs the commands that its README lists, in a folder that is removed at the
// end, and ends all of them on Ctrl-C.
//
//   bun scripts/examples/start.ts chat
//   bun scripts/examples/start.ts chat --port 9080 --streams 9000 --control 9001

import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { withTimeout } from '../../src/core/deadline.ts'
import { ChildProcess, succeed } from '../support/child-process.ts'
import { COMET } from '../support/comet.ts'
import { documentedCommands } from '../support/documented-commands.ts'
import { makeFolder } from '../support/folder.ts'

const EXAMPLES = [
  ...['chat', 'llm', 'presence', 'notifications-node', 'notifications-python', 'erlang'],
]

/** Commands that run until they are ended; the others, which come first, prepare something. */
const STAYS = /^(\w+=\w+ )*(?=(comet|node|python3|escript) )/

/** Milliseconds to build comet, and for a server to listen. */
const BUILD_MS_MAX = 120_000
const READY_MS_MAX = 20_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8080' },
    streams: { type: 'string', default: '8000' },
    control: { type: 'string', default: '8001' },
  },
})

/** What tells the programs their addresses; by default they have those of the README. */
const { port, streams, control } = values
const PAGE_URL = `http://127.0.0.1:${port}`
const STREAMS_URL = `http://127.0.0.1:${streams}`
const CONTROL_URL = `http://127.0.0.1:${control}`
const ENV = {
  ...{ PORT: port, STREAMS_URL, CONTROL_URL },
  COMET_LISTEN: `127.0.0.1:${streams}`,
  COMET_CONTROL: `127.0.0.1:${control}`,
  COMET_LISTEN_URL: STREAMS_URL,
}

/** The command as this machine and these ports have it; the files are in the example's folder. */
function localCommand(line: string, folder: string): string {
  const run = Bun.which('node') === null ? process.execPath : 'node'
  return line
    .replace(/(?<=^| )comet /, `${COMET} `)
    .replace(/^node /, `${run} `)
    .replace(/(?<= )(?=\w+\.(mjs|py|escript)\b)/, `${folder}/`)
    .replaceAll('http://127.0.0.1:8080', PAGE_URL)
}

/** Settles with an error when a program ends, which none should by itself. */
async function ended({ name, exited }: ChildProcess): Promise<never> {
  const code = await exited
  throw new Error(`${name} ended with ${code}. Other ports: --port, --streams, --control.`)
}

/** The address that a program prints when it listens; null for one that does not listen. */
function addressOf(line: string): string | null {
  if (line.includes('comet serve')) return STREAMS_URL
  return /\.(mjs|py)\b/.test(line) ? PAGE_URL : null
}

/** Starts a program that stays, and waits until it listens. */
async function startProgram(line: string, folder: string, cwd: string): Promise<ChildProcess> {
  const address = addressOf(line)
  const { promise, resolve } = Promise.withResolvers<void>()
  const onLine = (text: string) => {
    console.log(text)
    if (address === null || text.includes(address)) resolve()
  }
  // The shell is replaced by the program, which is to be ended.
  const command = localCommand(line.replace(STAYS, '$&exec '), folder)
  const program = new ChildProcess(['sh', '-c', command], { name: line, cwd, env: ENV, onLine })
  if (address === null) return program
  await withTimeout(line, Promise.race([promise, ended(program)]), READY_MS_MAX)
  return program
}

async function start(name: string): Promise<never> {
  const folder = `${import.meta.dir}/${name}`
  const commands = documentedCommands(readFileSync(`${folder}/README.md`, 'utf8'), 'start')
  await using data = await makeFolder()
  const programs: ChildProcess[] = []
  for (const { line } of commands) {
    console.log(`$ ${line}`)
    if (STAYS.test(line)) programs.push(await startProgram(line, folder, data.path))
    else await succeed(['sh', '-c', line], { cwd: data.path })
  }
  if (existsSync(`${folder}/index.html`)) console.log(`\nOpen ${PAGE_URL}`)
  console.log('Ctrl-C ends it.\n')
  // The child processes end with this one, and the folder is removed.
  return await Promise.race(programs.map(ended))
}

// Who ends it has what was wanted; the handler of all child processes would call that a failure.
process.prependListener('SIGINT', () => process.exit(0))

const [name = ''] = positionals
if (!EXAMPLES.includes(name)) {
  console.error(`Which example? ${EXAMPLES.join(', ')}`)
  process.exit(2)
}
if (!existsSync(COMET)) {
  console.log('$ bun run build')
  const build = `${dirname(import.meta.dir)}/build.ts`
  await succeed([process.execPath, build], { timeoutMs: BUILD_MS_MAX })
}
try {
  await start(name)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
