// Goal: one command starts each example, by the commands that its README lists, and its end is the
// end of all it has started. Method: the starter, at free ports; a signal; and a look at the ports.

import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import packageJson from '../../../package.json'
import { ChildProcess, childrenOf, runProgram, waitFor } from '../../support/child-process.ts'
import { freePort } from '../../support/comet.ts'
import { Erlang, withErlang } from '../../support/erlang.ts'
import { EXAMPLES } from '../../support/example.ts'

/** What each has printed when it runs. */
const SIGNS: Readonly<Record<string, RegExp>> = {
  chat: /^Open http/m,
  llm: /^Open http/m,
  presence: /^Open http/m,
  'notifications-node': /^Open http/m,
  'notifications-python': /^The shop is at http/m,
  erlang: /\{ok,1\}$/m,
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    // It has ended.
    return false
  }
}

/** Starts an example, waits until it runs, and ends it as Ctrl-C does. */
async function startAndEnd(name: string, sign: RegExp, env: Record<string, string> = {}) {
  const [port, streams, control] = [freePort(), freePort(), freePort()]
  const ports = ['--port', port, '--streams', streams, '--control', control].map(String)
  const command = [process.execPath, `${EXAMPLES}/start.ts`, name, ...ports]
  await using starter = new ChildProcess(command, { env })
  await waitFor(`${sign}`, () => sign.test(starter.stdout), 30_000, { needs: [starter] })
  const isOpen = async () => {
    const asked = fetch(`http://127.0.0.1:${control}/stats`, { keepalive: false })
    return await asked.then(
      (response) => response.ok,
      // It has ended.
      () => false,
    )
  }
  expect(await isOpen()).toBe(true)
  if (SIGNS[name]?.source.includes('Open')) {
    const page = await (await fetch(`http://127.0.0.1:${port}`)).text()
    // The page has the address of this comet, and no other.
    expect(page).toContain(`from 'http://127.0.0.1:${streams}/comet.js'`)
    expect(page).not.toContain('127.0.0.1:8000')
  }
  // None has a shell between, which would leave it behind.
  const children = childrenOf(starter.pid)
  const programs = children.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
  expect(programs).toContain('comet')
  expect(programs).not.toContain('sh')
  expect(await starter.end('SIGINT')).toBe(0)
  await waitFor('all to end', async () => !children.some(isThere) && !(await isOpen()))
  return starter
}

test('all examples are known, and each has a README', () => {
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((each) =>
    each.isDirectory(),
  )
  expect(folders.map(({ name }) => name).sort()).toEqual(Object.keys(SIGNS).sort())
})

test('the documents name the command', async () => {
  expect(packageJson.scripts.example).toEndWith('bun scripts/examples/start.ts')
  const index = await Bun.file(`${EXAMPLES}/README.md`).text()
  for (const name of Object.keys(SIGNS)) {
    expect(index).toContain(`\`bun run example ${name}\``)
    const readme = await Bun.file(`${EXAMPLES}/${name}/README.md`).text()
    expect(readme).toContain(`\n\`\`\`sh\nbun run example ${name}\n\`\`\`\n`)
  }
})

describe('one command starts', () => {
  for (const [name, sign] of Object.entries(SIGNS)) {
    if (name === 'erlang') continue
    const isPossible = name !== 'notifications-python' || Bun.which('python3') !== null
    test.skipIf(!isPossible)(name, async () => {
      await startAndEnd(name, sign)
    })
  }

  withErlang('erlang', async () => {
    // An epmd of the test's own, which the starter finds as it finds that of a machine.
    await using erlang = await Erlang.start()
    const { stdout } = await startAndEnd('erlang', SIGNS['erlang'] ?? /^$/, erlang.env)
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:+-]+$/m)
  })
})

test('an example that is none is answered by those that are', async () => {
  const command = [process.execPath, `${EXAMPLES}/start.ts`, 'chatt']
  const { exitCode, stderr } = await runProgram(command)
  expect([exitCode, stderr.trim()]).toEqual([2, `Which example? ${Object.keys(SIGNS).join(', ')}`])
})
