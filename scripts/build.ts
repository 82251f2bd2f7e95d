// Builds the executable, in the one way that was found to be safe: whitespace and syntax minified
// but identifiers never, since Elysia reads the text of handlers; ESM bytecode; production mode;
// no settings taken from the folder it is run in.
//
//   bun run build                                    dist/comet for this machine
//   bun run build --target bun-linux-x64-musl        dist/comet-linux-x64-musl, and so on

import { rename, rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { withTimeout } from '../src/core/deadline.ts'

/** Milliseconds to build; the Bun of another target may have to be downloaded first. */
const BUILD_MS_MAX = 600_000

const root = `${import.meta.dir}/..`

const { values } = parseArgs({ options: { target: { type: 'string' } }, strict: true })

/** The commit that is built, marked if the tree has changes of its own. */
async function commit(): Promise<string> {
  const head = await Bun.$`git -C ${root} rev-parse --short HEAD`.nothrow().quiet()
  if (head.exitCode !== 0) return 'unknown'
  const changes = await Bun.$`git -C ${root} status --porcelain`.nothrow().text()
  return head.text().trim() + (changes.trim() === '' ? '' : '+')
}

const name = values.target === undefined ? 'comet' : values.target.replace(/^bun/, 'comet')
const outfile = `${root}/dist/${name}`
const building = Bun.build({
  entrypoints: [`${root}/src/main.ts`],
  format: 'esm',
  bytecode: true,
  // So that a process evaluates only the modules of its own work.
  splitting: true,
  sourcemap: 'linked',
  minify: { whitespace: true, syntax: true, identifiers: false },
  define: {
    'process.env.NODE_ENV': '"production"',
    COMET_BUILD_COMMIT: JSON.stringify(await commit()),
  },
  compile: {
    // Written beside and renamed at the end, so that a running dist/comet can be built over.
    outfile: `${outfile}.new`,
    autoloadDotenv: false,
    autoloadBunfig: false,
    ...(values.target === undefined ? {} : { target: values.target as Bun.Build.CompileTarget }),
  },
})
const result = await withTimeout(`dist/${name} to be built`, building, BUILD_MS_MAX)
if (!result.success) {
  for (const log of result.logs) console.error(log)
  process.exit(1)
}
await rename(`${outfile}.new`, outfile)
// The maps are inside the executable; the files beside it are not used.
for (const map of new Bun.Glob('*.map').scanSync(`${root}/dist`)) await rm(`${root}/dist/${map}`)
const megabytes = (Bun.file(outfile).size / 1e6).toFixed(1)
console.error(`built dist/${name} (${megabytes} MB)`)
