// Goal: no stray signal ends a process that ignores them. Method: each is sent to a process.

import { expect, test } from 'bun:test'

const SCRIPT = `
  const { ignoreStrays } = await import(${JSON.stringify(`${import.meta.dir}/signals.ts`)})
  ignoreStrays((signal) => console.log(signal))
  const { pid } = process
  const names = ['USR1', 'USR2', 'ALRM', 'VTALRM', 'PROF', 'IO', 'PIPE', 'XFSZ', 'STKFLT', '35', '64']
  for (const name of names) Bun.spawnSync(['kill', '-' + name, String(pid)])
  const timer = setInterval(() => undefined, 5)
  await Bun.sleep(20)
  clearInterval(timer)
  console.log('lives')`

test('a process that ignores stray signals outlives them, and is told of those it can be', async () => {
  const child = Bun.spawn([process.execPath, '-e', SCRIPT], { stdout: 'pipe' })
  const lines = (await new Response(child.stdout).text()).trim().split('\n')
  expect(lines.at(-1)).toBe('lives')
  expect(lines.slice(0, -1).sort()).toEqual(
    ['SIGALRM', 'SIGIO', 'SIGPROF', 'SIGUSR1', 'SIGUSR2', 'SIGVTALRM'].sort(),
  )
  expect(await child.exited).toBe(0)
})
