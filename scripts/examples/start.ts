// Starts an example: runs the commands that its README lists, in a folder that is removed at the
// end, and ends all of them on Ctrl-C.
//
//   bun scripts/examples/start.ts chat
//   bun scripts/examples/start.ts chat --port 9080 --streams 9000 --control 9001

import { existsSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { ChildProcess, succeed, waitFor } from '../support/child-process.ts'
import { COMET } from '../support/comet.ts'
import { documentedCommands } from '../support/documented-commands.ts'
import { makeFolder } from '../support/folder.ts'

const EXAMPLES = [
  ...['chat', 'llm', 'presence', 'notifications-node', 'notifications-python', 'erlang'],
]

/** Commands that run until they are ended; the others, which come first, prepare something. */
const STAYS = /^(\w+=\w+ )*(?=(comet|node|python3|escript) )/

/** Milliseconds to build comet, and for a server to answer. */
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
const STREAMS_URL = `http://127.0.0.1:${streams}`
const CONTROL_URL = `http://127.0.0.1:${control}`
const ENV = {
  ...{ PORT: port, STREAMS_URL, CONTROL_URL },
  COMET_LISTEN: `127.0.0.1:${streams}`,
  COMET_CONTROL: `127.0.0.1:${control}`,
  COMET_LISTEN_URL: STREAMS_URL,
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url, { keepalive: false }).then(
    (response) => response.ok,
    // It does not listen yet.
    () => false,
  )
}

/** The command as this machine and these ports have it; the files are in the example's folder. */
function localCommand(line: string, folder: string): string {
  const run = Bun.which('node') === null ? process.execPath : 'node'
  return line
    .replace(/(?<=^| )comet /, `${COMET} `)
    .replace(/^node /, `${run} `)
    .replace(/(?<= )(?=\w+\.(mjs|py|escript)\b)/, `${folder}/`)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
}

/** Settles when one of them ends, which none should by itself. */
async function firstEnd(programs: readonly ChildProcess[]): Promise<string> {
  const ends = programs.map(async ({ name, exited }) => `${name} ended with ${await exited}`)
  return await Promise.race(ends)
}

async function start(name: string): Promise<never> {
  const folder = `${import.meta.dir}/${name}`
  const commands = documentedCommands(readFileSync(`${folder}/README.md`, 'utf8'), 'start')
  await using data = await makeFolder()
  await using stack = new AsyncDisposableStack()
  const programs: ChildProcess[] = []
  for (const { line } of commands) {
    console.log(`$ ${line}`)
    // The shell is replaced by the program, which is to be ended.
    const command = ['sh', '-c', localCommand(line, folder).replace(STAYS, '$&exec ')]
    if (!STAYS.test(line)) {
      await succeed(command, { cwd: data.path })
      continue
    }
    const onLine = (text: string) => console.log(text)
    const options = { name: line, cwd: data.path, env: ENV, onLine }
    const program = stack.use(new ChildProcess(command, options))
    programs.push(program)
    if (!line.includes('comet serve')) continue
    const isReady = () => answers(`${STREAMS_URL}/health`)
    await waitFor('comet', isReady, READY_MS_MAX, { needs: programs })
  }
  if (existsSync(`${folder}/index.html`)) {
    const url = `http://127.0.0.1:${port}`
    await waitFor('the page', () => answers(url), READY_MS_MAX, { needs: programs })
    console.log(`\nOpen ${url}`)
  }
  console.log('Ctrl-C ends it.\n')
  // The child processes end with this one, and the folder is removed.
  throw new Error(await firstEnd(programs))
}

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
