// The one command that says "ready": format, lint, types, structure, unit tests, build, and the
// end-to-end tests against the executable. Goes through all of it, then closes with the counts.

import { settledWithin } from '../src/core/deadline.ts'

const root = `${import.meta.dir}/..`

/** Milliseconds for one step: the longest take ten minutes where others are at work, too. */
const STEP_MS_MAX = 3_600_000

interface Step {
  readonly name: string
  readonly command: readonly string[]
  /** Its tests are counted one by one; any other step counts as one. */
  readonly tests?: boolean
}

const BUN = process.execPath

const STEPS: readonly Step[] = [
  { name: 'format and lint', command: [BUN, 'x', 'biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'types', command: [BUN, 'x', 'tsc', '--noEmit', '-p', '.'] },
  { name: 'structure', command: [BUN, 'scripts/structure.ts'] },
  {
    name: 'unit tests',
    command: [BUN, 'test', '--timeout', '30000', './src', './bench'],
    tests: true,
  },
  { name: 'build', command: [BUN, 'scripts/build.ts'] },
  {
    name: 'end-to-end tests',
    command: [BUN, 'test', '--timeout', '90000', './scripts'],
    tests: true,
  },
]

interface Counts {
  passed: number
  failed: number
}

async function runStep(step: Step): Promise<Counts> {
  console.error(`\n── ${step.name}`)
  const child = Bun.spawn([...step.command], {
    cwd: root,
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'pipe',
  })
  let words = ''
  const decoder = new TextDecoder()
  const ended = async () => {
    for await (const part of child.stderr) {
      const text = decoder.decode(part, { stream: true })
      process.stderr.write(text)
      words += text
    }
    return await child.exited
  }
  const exitCode = await settledWithin(ended(), STEP_MS_MAX)
  if (exitCode === undefined) {
    console.error(`── ${step.name}: waited ${STEP_MS_MAX} ms in vain for its end`)
    child.kill('SIGKILL')
  }
  if (step.tests !== true) return { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1 }
  const passed = Number(/^\s*(\d+) pass$/m.exec(words)?.[1] ?? 0)
  const failed = Number(/^\s*(\d+) fail$/m.exec(words)?.[1] ?? 0)
  // A runner that stops half-way, or finds no test, has not passed.
  const broken = failed === 0 && (exitCode !== 0 || passed === 0)
  return { passed, failed: broken ? 1 : failed }
}

const sum: Counts = { passed: 0, failed: 0 }
for (const step of STEPS) {
  const { passed, failed } = await runStep(step)
  sum.passed += passed
  sum.failed += failed
  if (failed > 0) console.error(`── ${step.name}: ${failed} failed`)
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed`)
process.exit(sum.failed === 0 ? 0 : 1)
