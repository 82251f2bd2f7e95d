// Archives as npm has them: files in a folder `package`, with owners and times that are the same
// each time.

import { packTar } from 'modern-tar'

/** What npm gives the files of all packages: some tools take none from before 1980. */
const MTIME = new Date('1985-10-26T08:15:00Z')

export interface NpmFile {
  /** Inside the package. */
  readonly name: string
  readonly contents: string | Uint8Array
  readonly isExecutable?: boolean
}

/** @param level how hard to compress, from 1 to 9 */
export async function npmPackage(files: readonly NpmFile[], level = 9): Promise<Uint8Array> {
  const entries = files.map(({ name, contents, isExecutable = false }) => {
    const body = typeof contents === 'string' ? new TextEncoder().encode(contents) : contents
    const owner = { uid: 0, gid: 0, uname: '', gname: '' }
    const mode = isExecutable ? 0o755 : 0o644
    const header = { ...owner, mode, mtime: MTIME, size: body.length }
    return { header: { ...header, name: `package/${name}`, type: 'file' as const }, body }
  })
  // The types of Bun list the levels one by one.
  return Bun.gzipSync(Buffer.from(await packTar(entries)), { level: level as 9 })
}

/** As npm itself writes package.json. */
export function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
