// Runs log-program.ts, and reads its figures.

import { succeed } from '../../scripts/support/child-process.ts'

/** Milliseconds for the longest of them, which takes about ten seconds. */
const PROGRAM_MS_MAX = 120_000

export async function runLogProgram<Figures>(mode: string, path = '-'): Promise<Figures> {
  const program = `${import.meta.dir}/log-program.ts`
  const { stdout } = await succeed([process.execPath, program, mode, path], {
    name: 'log-program.ts',
    timeoutMs: PROGRAM_MS_MAX,
  })
  return JSON.parse(stdout) as Figures
}
