// Goal: the Erlang node of the example sends to streams, goes on after a restart of comet, and the
// expressions of its README do what they say. Method: the executable, a real epmd, escript and erl.

import { expect } from 'bun:test'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { start } from '../../support/comet.ts'
import { documentedCommands } from '../../support/documented-commands.ts'
import { COOKIE, Erlang, withErlang } from '../../support/erlang.ts'
import { EXAMPLES } from '../../support/example.ts'

/** As the README and the script name it. */
const NAME = 'comet@localhost'

withErlang('the node tells the time to those who follow, over a restart of comet', async () => {
  await using erlang = await Erlang.start()
  const env = { ...erlang.env, COMET_ERLANG_COOKIE: COOKIE }
  const script = `${EXAMPLES}/erlang/ticker.escript`
  await using ticker = new ChildProcess([String(Bun.which('escript')), script], { env })
  await ticker.line('a tick', (line) => /\{lost,/.test(line) || undefined, 20_000)
  for (const _ of [1, 2]) {
    await using server = await erlang.serve(['--erlang-name', NAME], {
      COMET_ERLANG_COOKIE: COOKIE,
    })
    const listen = ['listen', 'viewer', '--subjects', 'time', '--url', server.publicUrl]
    await using listening = start(listen)
    await ticker.line('a delivery', (line) => /\{ok,1\}$/.test(line) || undefined, 20_000)
    await waitFor('a tick', () => /^\d{4}-\d\d-\d\dT[\d:+-]+\n/.test(listening.stdout))
  }
})

withErlang('the shell does what the README says', async () => {
  await using erlang = await Erlang.start()
  await using node = await erlang.node({ name: 'shell@localhost' })
  await using server = await erlang.serve(['--erlang-name', NAME], { COMET_ERLANG_COOKIE: COOKIE })
  await using listening = start(['listen', 'viewer', '--url', server.publicUrl])
  await server.open(1)
  const readme = await Bun.file(`${EXAMPLES}/erlang/README.md`).text()
  const commands = documentedCommands(readme, 'shell')
  expect(commands).toHaveLength(3)
  for (const { line, expected } of commands) expect(await node.run(line)).toBe(String(expected))
  await waitFor('both', () => listening.stdout.endsWith('an answer\n'))
  expect(listening.stdout).toBe('Hello\nand without waiting for an answer\n')
})
