// Goal: the demo proves what it says, and says so when it cannot. Method: run it, small.

import { expect, test } from 'bun:test'
import { runProgram } from '../../support/child-process.ts'

function demo(args: readonly string[], openFiles?: number) {
  const command = [process.execPath, `${import.meta.dir}/../../demo.ts`, '--no-build', ...args]
  const limit = ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`]
  return runProgram([...(openFiles === undefined ? [] : limit), ...command], { name: 'the demo' })
}

test('every promised delivery arrives once and in order', async () => {
  const { exitCode, stdout } = await demo([
    ...['--connections', '300', '--rate', '2000', '--subjects', '100', '--seconds', '1'],
  ])
  expect(stdout).toContain('Every promised delivery arrived exactly once and in order.')
  expect(stdout).toMatch(/streams opened\s+300 of 300/)
  expect(stdout).toMatch(/subscriptions\s+4,380\n/)
  expect(stdout).toMatch(/messages to one user\s+2,000 in/)
  expect(stdout).toMatch(/messages about one\s+100 in/)
  expect(stdout).toMatch(/missing\s+0\n/)
  expect(exitCode).toBe(0)
})

test('where open files are few it says so and runs with what fits', async () => {
  const args = ['--connections', '10000', '--rate', '1000', '--subjects', '50', '--seconds', '1']
  const { exitCode, stdout, stderr } = await demo(args, 256)
  expect(stderr).toMatch(/the open-files limit has room for \d+ streams/)
  expect(stdout).toContain('Every promised delivery arrived exactly once and in order.')
  expect(exitCode).toBe(0)
})
