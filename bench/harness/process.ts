// Programs of a bench, on the process driver of the tests: each runs as long as its bench needs it,
// and is killed with all of its children however the bench ends. Temporary folders are removed in
// the same way.

import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { type ChildOptions, ChildProcess } from '../../scripts/support/child-process.ts'

/**
 * Milliseconds that a program may run: longer than the longest soak. Each wait for it is shorter.
 */
const RUN_MS_MAX = 8 * 86_400_000

const folders = new Set<string>()

process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export function startProgram(
  name: string,
  command: readonly string[],
  options: ChildOptions = {},
): ChildProcess {
  const standard = { name, killsDescendants: true, timeoutMs: RUN_MS_MAX }
  return new ChildProcess(command, { ...standard, ...options })
}

/** What a program that has succeeded printed and used. */
export interface Succeeded {
  readonly stdout: string
  readonly seconds: number
  readonly peakBytes: number
}

/** Runs a program to its end; an error if it fails or takes longer. */
export async function succeed(
  name: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<Succeeded> {
  const startedMs = performance.now()
  await using child = startProgram(name, command, { timeoutMs })
  const { exitCode, stdout } = await child.finished
  if (exitCode !== 0) throw child.error(`exited with ${exitCode}`)
  const seconds = (performance.now() - startedMs) / 1000
  return { stdout, seconds, peakBytes: child.peakBytes }
}

export interface Folder extends AsyncDisposable {
  readonly path: string
}

/** A folder that is removed at the end, or when the bench is interrupted. */
export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(`${tmpdir()}/comet-bench-`)
  folders.add(path)
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      rmSync(path, { recursive: true, force: true })
      folders.delete(path)
    },
  }
}

/** For programs that cannot have the system choose one; another program may take it meanwhile. */
export function freePort(): number {
  using listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } })
  return listener.port
}
