// The npm package of the client library: the module that servers serve, its types, a README. The
// same files make the same bytes, with the same version of Bun.

import packageJson from '../../package.json'
import { builtModule } from '../../src/browser/module.ts'
import { runProgram } from '../support/child-process.ts'
import { makeFolder } from '../support/folder.ts'
import { jsonText, npmPackage } from './npm-package.ts'

const root = `${import.meta.dir}/../..`

export const CLIENT_PACKAGE = 'comet-client.tgz'

const COMPILE_MS_MAX = 60_000

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

/** The package of the client library. */
export async function clientPackage(): Promise<Uint8Array> {
  const files: Readonly<Record<string, string>> = {
    'package.json': jsonText(DESCRIPTION),
    LICENSE: await Bun.file(`${root}/LICENSE`).text(),
    'README.md': await Bun.file(`${root}/src/browser/README.md`).text(),
    'comet.d.ts': await declarations(),
    'comet.js': builtModule().text,
  }
  return await npmPackage(Object.entries(files).map(([name, contents]) => ({ name, contents })))
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
