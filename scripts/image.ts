// Writes dist/comet.oci.tar, the image of a container with comet and nothing else, for `docker
// load`, `podman load` and `skopeo`. It needs no engine; the loader, the libraries and the
// certificates are those of this machine, which must be Linux.
//
//   bun run image                    builds dist/comet, and the image with it
//   bun run image --gzip             for engines that do not know zstd, like Docker 20.10
//   bun run image --source URL       with a label that says where the source is
//   bun scripts/image.ts --folder f  the files alone, one folder a layer; for the Dockerfile
//
// With --executable given twice, for x64 and for arm64, it is one image for both. The libraries for
// the other kind of machine are those of Debian's libc6-arm64-cross or libc6-amd64-cross.

import { chmod, chown, mkdir, rename } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import packageJson from '../package.json'
import {
  type Contents,
  contentsWith,
  LAYERS,
  type LayerName,
  runConfigOf,
} from './image/contents.ts'
import { gzip } from './image/gzip.ts'
import type { Compression, TarEntry } from './image/oci.ts'
import { commitOfTree } from './support/commit.ts'

const root = resolve(import.meta.dir, '..')

const { values } = parseArgs({
  options: {
    executable: { type: 'string', multiple: true, default: [`${root}/dist/comet`] },
    outfile: { type: 'string', default: `${root}/dist/comet.oci.tar` },
    gzip: { type: 'boolean', default: false },
    /** How hard to compress; tests have no minute to spare. */
    level: { type: 'string' },
    source: { type: 'string', default: process.env['COMET_SOURCE_URL'] },
    folder: { type: 'string' },
  },
  strict: true,
})

const MADE: Readonly<Record<LayerName, string>> = {
  system: 'loader, libraries, certificates, user',
  data: 'a folder for the database',
  program: 'comet',
}

function compression(): Compression {
  // The highest levels that need no more memory than usual to be read again.
  const level = Number(values.level ?? (values.gzip ? 12 : 19))
  return values.gzip
    ? { name: 'gzip', compress: (bytes) => gzip(bytes, level) }
    : { name: 'zstd', compress: (bytes) => Bun.zstdCompressSync(bytes, { level }) }
}

async function writeArchive(all: readonly Contents[]): Promise<void> {
  // Loaded only here: the Dockerfile, which needs no archive, installs no development dependencies.
  const { archiveOf, createdAt } = await import('./image/oci.ts')
  const { revision, seconds } = await commitOfTree()
  const source = values.source ?? null
  const config = runConfigOf({ revision, created: createdAt(seconds), source })
  const name = `localhost/comet:${packageJson.version}`
  const images = all.map(({ machine, layers }) => ({
    ...{ name, config, seconds },
    architecture: machine === 'x64' ? ('amd64' as const) : machine,
    layers: LAYERS.map((layer) => ({ entries: layers[layer], made: MADE[layer] })),
  }))
  const [first, ...others] = images
  if (first === undefined) throw new Error('there is no executable')
  const archive = await archiveOf([first, ...others], compression())
  await Bun.write(`${values.outfile}.new`, archive)
  await rename(`${values.outfile}.new`, values.outfile)
  for (const { architecture, layers } of images) {
    const files = layers.flatMap(({ entries }) => entries)
    for (const { path, bytes } of files) {
      if (bytes !== undefined) console.error(`${megabytes(bytes.length)}  /${path}`)
    }
    const unpacked = files.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0)
    console.error(`${megabytes(unpacked)}  ${name} for linux/${architecture}, unpacked`)
  }
  console.error(`${megabytes(archive.length)}  ${relative('', values.outfile)}`)
}

function megabytes(size: number): string {
  return `${(size / 1e6).toFixed(2).padStart(7)} MB`
}

async function writeFolder({ layers }: Contents, folder: string): Promise<void> {
  for (const name of LAYERS) {
    await mkdir(`${folder}/${name}`, { recursive: true })
    for (const entry of layers[name]) await writeEntry(entry, `${folder}/${name}`)
  }
}

async function writeEntry({ path, mode, owner, bytes }: TarEntry, folder: string): Promise<void> {
  const target = `${folder}/${path}`
  if (bytes === undefined) await mkdir(target, { recursive: true })
  else await Bun.write(target, bytes)
  await chmod(target, mode)
  if (owner !== undefined && process.getuid?.() === 0) await chown(target, owner, owner)
}

const contents = await Promise.all(values.executable.map(contentsWith))
const [first] = contents
if (values.folder === undefined) await writeArchive(contents)
else if (first !== undefined) await writeFolder(first, values.folder)
