// A file system of one mebibyte for one test, which can be full as a real disk is: by ENOSPC. It
// takes root on Linux.

import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'

/** Can this process mount a file system? A container may forbid it even to root. */
export const canMount =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  Bun.spawnSync(['unshare', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).success

/** Why tests of it are skipped, if they are; for their names. */
export const UNLESS_MOUNT = '(skipped unless root may mount)'

/** In these pieces its room is given to files. */
const PAGE_BYTES = 4_096

export interface SmallDisk extends AsyncDisposable {
  readonly path: string
  /** Another program takes all the room that is left, but for so many pages. */
  fill(pagesLeft: number): Promise<void>
  /** That program gives it back. */
  free(): Promise<void>
}

export async function mountSmallDisk(): Promise<SmallDisk> {
  const path = await mkdtemp(`${tmpdir()}/comet-disk-`)
  run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path])
  const filler = `${path}/filler`
  return {
    path,
    async fill(pagesLeft) {
      // It ends when nothing more fits.
      Bun.spawnSync(['dd', 'if=/dev/zero', `of=${filler}`, `bs=${PAGE_BYTES}`])
      await truncate(filler, Bun.file(filler).size - pagesLeft * PAGE_BYTES)
    },
    free: () => rm(filler),
    async [Symbol.asyncDispose]() {
      // At once for everybody else, though a process that is being killed may still have files
      // open.
      run(['umount', '--lazy', path])
      await rm(path, { recursive: true })
    },
  }
}

function run(command: string[]): void {
  const { success, stderr } = Bun.spawnSync(command, { stderr: 'pipe' })
  if (!success) throw new Error(`${command.join(' ')}: ${stderr.toString()}`)
}
