// The commit that is built, for what is to be the same each time that it is built.

const root = `${import.meta.dir}/../..`

export interface Commit {
  /** The whole hash, with a plus sign if the tree has changes of its own; null without git. */
  readonly revision: string | null
  /** When it was made, in seconds since 1970; 0 without git. */
  readonly seconds: number
}

/** The commit that is checked out. */
export async function commitOfTree(): Promise<Commit> {
  const shown = await Bun.$`git -C ${root} log -1 --format=${'%H %ct'}`.nothrow().quiet()
  if (shown.exitCode !== 0) return { revision: null, seconds: 0 }
  const [hash = '', seconds = '0'] = shown.text().trim().split(' ')
  const changes = await Bun.$`git -C ${root} status --porcelain`.nothrow().quiet().text()
  return { revision: changes === '' ? hash : `${hash}+`, seconds: Number(seconds) }
}
