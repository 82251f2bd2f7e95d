// Writes dist/comet.oci.tar, the image of a container with comet and nothing else, for `docker
// load`, `podman load` and `skopeo`. It needs no engine; the loader, the libraries and the
// certificates are those of this machine, which must be Linux.
//
//   bun run image                    builds dist/comet, and the image with it
//   bun run image --gzip             for engines that do not know zstd, like Docker 20.10
//   bun scripts/image.ts --folder f  the files alone, one folder a layer; for the Dockerfile

import { chmod, chown, mkdir, rename } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import packageJson from '../package.json'
import {
  type Contents,
  contentsWith,
  LAYERS,
  type LayerName,
  RUN_CONFIG,
} from './image/contents.ts'
import type { Compression, TarEntry } from './image/oci.ts'

const root = resolve(import.meta.dir, '..')

const { values } = parseArgs({
  options: {
    executable: { type: 'string', default: `${root}/dist/comet` },
    outfile: { type: 'string', default: `${root}/dist/comet.oci.tar` },
    gzip: { type: 'boolean', default: false },
    /** How hard to compress; tests have no minute to spare. */
    level: { type: 'string' },
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

function gzip(bytes: Uint8Array, level: number): Uint8Array {
  return Bun.gzipSync(new Uint8Array(bytes), { library: 'libdeflate', level } as object)
}

/** When the commit was made that is built, so that the same commit makes the same image. */
async function commitSeconds(): Promise<number> {
  const shown = await Bun.$`git -C ${root} log -1 --format=%ct`.nothrow().quiet()
  return shown.exitCode === 0 ? Number(shown.text().trim()) : 0
}

async function writeArchive({ machine, layers }: Contents): Promise<void> {
  const image = {
    name: `localhost/comet:${packageJson.version}`,
    architecture: machine === 'x64' ? 'amd64' : machine,
    config: RUN_CONFIG,
    layers: LAYERS.map((name) => ({ entries: layers[name], made: MADE[name] })),
    seconds: await commitSeconds(),
  } as const
  // Loaded only here: the Dockerfile, which needs no archive, installs no development dependencies.
  const { archiveOf } = await import('./image/oci.ts')
  const archive = await archiveOf(image, compression())
  await Bun.write(`${values.outfile}.new`, archive)
  await rename(`${values.outfile}.new`, values.outfile)
  const files = LAYERS.flatMap((name) => layers[name])
  const unpacked = files.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0)
  for (const { path, bytes } of files) {
    if (bytes !== undefined) console.error(`${megabytes(bytes.length)}  /${path}`)
  }
  console.error(`${megabytes(unpacked)}  ${image.name} for linux/${image.architecture}, unpacked`)
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

const contents = await contentsWith(values.executable)
if (values.folder === undefined) await writeArchive(contents)
else await writeFolder(contents, values.folder)
