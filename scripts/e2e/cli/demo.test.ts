// Goal: the demo proves what it says, and says so when it cannot. Method: run it, small.

import { expect, test } from 'bun:test'

async function demo(args: readonly string[], openFiles?: number) {
  const command = [process.execPath, `${import.meta.dir}/../../demo.ts`, '--no-build', ...args]
  const limited =
    openFiles === undefined
      ? command
      : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, ...command]
  const child = Bun.spawn(limited, { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, words] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { exitCode: await child.exited, out, words }
}

test('every promised delivery arrives once and in order', async () => {
  const { exitCode, out } = await demo([
    ...['--connections', '300', '--rate', '2000', '--subjects', '100', '--seconds', '1'],
  ])
  expect(out).toContain('Every promised delivery arrived exactly once and in order.')
  expect(out).toMatch(/streams opened\s+300 of 300/)
  expect(out).toMatch(/subscriptions\s+4,380\n/)
  expect(out).toMatch(/messages to one user\s+2,000 in/)
  expect(out).toMatch(/messages about one\s+100 in/)
  expect(out).toMatch(/missing\s+0\n/)
  expect(exitCode).toBe(0)
})

test('where open files are few it says so and runs with what fits', async () => {
  const args = ['--connections', '10000', '--rate', '1000', '--subjects', '50', '--seconds', '1']
  const { exitCode, out, words } = await demo(args, 256)
  expect(words).toMatch(/the open-files limit has room for \d+ streams/)
  expect(out).toContain('Every promised delivery arrived exactly once and in order.')
  expect(exitCode).toBe(0)
})
