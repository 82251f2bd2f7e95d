// The one command that says "ready": format, lint, types, structure, figures of documents, unit
// tests, build, end-to-end tests against the executable, images and releases. Runs all of it, then
// prints times and counts.

import { mkdir } from 'node:fs/promises'
import { availableParallelism, homedir } from 'node:os'
import { settledWithin } from '../src/core/deadline.ts'

const root = `${import.meta.dir}/..`

/** Milliseconds for one step: the longest take ten minutes on a busy machine. */
const STEP_MS_MAX = 3_600_000

/** Milliseconds for a step that is stopped to end its programs. */
const STOP_MS_MAX = 20_000

/**
 * Where it is kept how long each test file took on this machine, so that the longest start first.
 */
const CACHE = `${process.env['XDG_CACHE_HOME'] ?? `${homedir()}/.cache`}/comet`

/**
 * End-to-end tests that failed while other programs used the cores, since they measure times, rates
 * or what a stopped worker may owe within its ten seconds. They run one by one, after all others.
 */
const ALONE = [
  'scripts/e2e/bus/chaos.test.ts',
  'scripts/e2e/cli/manual-tools.test.ts',
  'scripts/e2e/control/dashboard-figures.test.ts',
  'scripts/e2e/flood/behaviour.test.ts',
  'scripts/e2e/gen/find.test.ts',
  'scripts/e2e/gen/gen.test.ts',
  'scripts/e2e/gen/node.test.ts',
  'scripts/e2e/public/keepalive-queue.test.ts',
  'scripts/e2e/workers/chaos.test.ts',
  'scripts/e2e/workers/slow.test.ts',
] as const

/**
 * End-to-end tests of what both wires of streams promise. They run a second time on sockets, which
 * a Linux in the clear does not use by itself.
 */
const ON_SOCKETS = [
  'scripts/e2e/public/admission.test.ts',
  'scripts/e2e/public/drain.test.ts',
  'scripts/e2e/public/keepalive.test.ts',
  'scripts/e2e/public/limits.test.ts',
  'scripts/e2e/public/public.test.ts',
  'scripts/e2e/public/rubbish.test.ts',
  'scripts/e2e/public/slow.test.ts',
  'scripts/e2e/public/unread.test.ts',
  'scripts/e2e/workers/workers.test.ts',
] as const

interface Step {
  readonly name: string
  readonly command: readonly string[]
  /** Its tests are counted one by one; any other step counts as one. */
  readonly isTests?: boolean
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
}

interface Counts {
  readonly passed: number
  readonly failed: number
  /** The lines of tests that failed. */
  readonly failures: readonly string[]
}

const BUN = process.execPath

const STEPS: readonly Step[] = [
  { name: 'format and lint', command: [BUN, 'x', 'biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'types', command: [BUN, 'x', 'tsc', '--noEmit', '-p', '.'] },
  { name: 'structure', command: [BUN, 'scripts/structure.ts'] },
  { name: 'figures of documents', command: [BUN, 'scripts/figures.ts'] },
  tests('unit tests', 30_000, [
    ...sideBySide('unit'),
    ...['./src', './bench', './scripts/figures'],
  ]),
  { name: 'build', command: [BUN, 'scripts/build.ts'] },
  tests('end-to-end tests', 90_000, [
    ...sideBySide('e2e'),
    ...ALONE.map((path) => `--path-ignore-patterns=${path}`),
    ...['./scripts/e2e', './scripts/fuzz', './scripts/support'],
  ]),
  {
    ...tests('end-to-end tests, on sockets', 90_000, [
      ...sideBySide('e2e-sockets'),
      ...ON_SOCKETS.map((path) => `./${path}`),
    ]),
    env: { COMET_WIRE: 'socket' },
  },
  tests(
    'end-to-end tests, one by one',
    90_000,
    ALONE.map((path) => `./${path}`),
  ),
  tests('images and releases', 90_000, ['./scripts/image', './scripts/release']),
]

function tests(name: string, timeoutMs: number, args: readonly string[]): Step {
  return { name, command: [BUN, 'test', `--timeout=${timeoutMs}`, ...args], isTests: true }
}

/** As many files at once as there are cores, the longest first. */
function sideBySide(kind: string): string[] {
  const times = [`--timings=${CACHE}/${kind}-times.json`, '--update-timings']
  return [`--parallel=${availableParallelism()}`, ...times]
}

async function runStep(step: Step): Promise<Counts> {
  console.error(`\n── ${step.name}`)
  const child = Bun.spawn([...step.command], {
    cwd: root,
    env: { ...process.env, ...step.env },
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'pipe',
  })
  let stderr = ''
  const decoder = new TextDecoder()
  const ended = async () => {
    for await (const part of child.stderr) {
      const text = decoder.decode(part, { stream: true })
      process.stderr.write(text)
      stderr += text
    }
    return await child.exited
  }
  const exitCode = await settledWithin(ended(), STEP_MS_MAX)
  if (exitCode === undefined) {
    console.error(`── ${step.name}: did not end within ${STEP_MS_MAX} ms`)
    // So that the runner ends the programs of its tests; it must not keep this step from its end.
    child.kill('SIGTERM')
    if ((await settledWithin(child.exited, STOP_MS_MAX)) === undefined) child.kill('SIGKILL')
  }
  if (step.isTests !== true)
    return { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, failures: [] }
  const passed = Number(/^\s*(\d+) pass$/m.exec(stderr)?.[1] ?? 0)
  const failed = Number(/^\s*(\d+) fail$/m.exec(stderr)?.[1] ?? 0)
  // A runner that stops half-way, or finds no test, has not passed.
  const isBroken = failed === 0 && (exitCode !== 0 || passed === 0)
  const failures = [...new Set(stderr.match(/^\(fail\) .*$/gm) ?? [])]
  return { passed, failed: isBroken ? 1 : failed, failures }
}

await mkdir(CACHE, { recursive: true })
const summary: string[] = []
let [passed, failed] = [0, 0]
for (const step of STEPS) {
  const startedMs = performance.now()
  const counts = await runStep(step)
  passed += counts.passed
  failed += counts.failed
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6)
  summary.push(`${seconds} s  ${step.name}${counts.failed > 0 ? `: ${counts.failed} failed` : ''}`)
  for (const failure of counts.failures) summary.push(`           ${failure}`)
}
console.log(`\n${summary.join('\n')}\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
