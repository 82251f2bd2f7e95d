// The executable of the commit before, for tests of servers of two versions that share a Redis.

import { existsSync, symlinkSync } from 'node:fs'
import { runProgram, succeed } from './child-process.ts'
import { COMET } from './comet.ts'

const ROOT = `${import.meta.dir}/../..`

/** Milliseconds to build it. */
const BUILD_MS_MAX = 60_000

export interface PreviousBuild {
  readonly program: string
  /** Null if it is another executable than that of this build; else why it is the same. */
  readonly why: string | null
}

/**
 * Builds the commit before in a folder. Where that is not possible, or its servers shared no Redis
 * yet, it is the executable of this build.
 */
export async function previousBuild(folder: string): Promise<PreviousBuild> {
  const same = (why: string) => ({ program: COMET, why })
  const archive = `${folder}/previous.tar`
  const git = ['git', '-C', ROOT, 'archive', '--output', archive, 'HEAD~1']
  if (!existsSync(`${ROOT}/.git`) || Bun.which('git') === null) {
    return same('there is no repository')
  }
  if ((await runProgram(git)).exitCode !== 0) return same('there is no commit before')
  await succeed(['tar', '-xf', archive, '-C', folder])
  symlinkSync(`${ROOT}/node_modules`, `${folder}/node_modules`)
  const build = [process.execPath, 'scripts/build.ts']
  const built = await runProgram(build, { cwd: folder, timeoutMs: BUILD_MS_MAX })
  if (built.exitCode !== 0) return same('the commit before does not build here')
  const program = `${folder}/dist/comet`
  const { stdout } = await runProgram([program, 'serve', '--help'])
  return stdout.includes('--bus <url>') ? { program, why: null } : same('it knows no --bus')
}
