// Goal: a user with a fresh clone, empty caches and the README gets messages to a page of another
// origin, with a token, and loses none when the server is killed. Method: the script that does what
// the documents of the last commit say.

import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { runProgram } from '../../support/child-process.ts'

const root = `${import.meta.dir}/../../..`

/** Milliseconds; the packages and Bun are fetched from the registry. */
const TEST_MS_MAX = 600_000

/** What the script runs besides comet. */
const PROGRAMS = ['git', 'chromium', 'python3']

const isPossible = existsSync(`${root}/.git`) && PROGRAMS.every((name) => Bun.which(name) !== null)

test.skipIf(!isPossible)(
  'the first hour of a new user is as the documents say',
  async () => {
    const command = [process.execPath, `${root}/scripts/first-hour.ts`]
    const { exitCode, stdout, stderr } = await runProgram(command, { timeoutMs: TEST_MS_MAX })
    // How long each step took, for those who read the log.
    console.log(stdout)
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout).toContain('The page shows 7 messages, each once and in order.')
  },
  TEST_MS_MAX,
)
