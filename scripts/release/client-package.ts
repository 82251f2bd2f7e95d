// The npm package of the client library: the module that servers serve, its types, a README. The
// same files make the same bytes, with the same version of Bun.

import { packTar } from 'modern-tar'
import packageJson from '../../package.json'
import { builtModule } from '../../src/browser/module.ts'
import { runProgram } from '../support/child-process.ts'
import { makeFolder } from '../support/folder.ts'

const root = `${import.meta.dir}/../..`

export const CLIENT_PACKAGE = 'comet-client.tgz'

const COMPILE_MS_MAX = 60_000

/** What npm gives the files of all packages: some tools take none from before 1980. */
const MTIME = new Date('1985-10-26T08:15:00Z')

const DESCRIPTION = {
  name: 'comet-client',
  version: packageJson.version,
  description: 'Streams of a comet server, for browsers, Node and Bun.',
  license: packageJson.license,
  type: 'module',
  exports: { '.': { types: './comet.d.ts', default: './comet.js' } },
  types: './comet.d.ts',
  sideEffects: false,
  engines: { node: '>=22' },
}

export async function clientPackage(): Promise<Uint8Array> {
  const files: Readonly<Record<string, string>> = {
    'package.json': `${JSON.stringify(DESCRIPTION, null, 2)}\n`,
    LICENSE: await Bun.file(`${root}/LICENSE`).text(),
    'README.md': await Bun.file(`${root}/src/browser/README.md`).text(),
    'comet.d.ts': await declarations(),
    'comet.js': builtModule().text,
  }
  const entries = Object.entries(files).map(([name, text]) => {
    const body = new TextEncoder().encode(text)
    const owner = { uid: 0, gid: 0, uname: '', gname: '' }
    const header = { ...owner, mode: 0o644, mtime: MTIME, size: body.length }
    return { header: { ...header, name: `package/${name}`, type: 'file' as const }, body }
  })
  return Bun.gzipSync(Buffer.from(await packTar(entries)), { level: 9 })
}

/** All types of what is exported, in one file. */
async function declarations(): Promise<string> {
  await using folder = await makeFolder()
  const command = [process.execPath, 'x', 'tsc', '-p', 'scripts/release/client-package.json']
  const options = { cwd: root, timeoutMs: COMPILE_MS_MAX }
  const result = await runProgram([...command, '--outDir', folder.path], options)
  if (result.exitCode !== 0) throw new Error(`comet.d.ts was not made: ${result.stdout}`)
  const [api, comet] = await Promise.all(
    ['api', 'comet'].map((name) => Bun.file(`${folder.path}/${name}.d.ts`).text()),
  )
  const own = comet?.replace(/^import .*$|^export \{.*$/gm, '').trim()
  return `${api?.trim()}\n${own}\n`
}
