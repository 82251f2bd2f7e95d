// The Debian package of an executable: it, the unit of systemd, a file of options, documents. It
// takes no tool of Debian, and the same files make the same bytes.

import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import packageJson from '../../package.json'
import type { Machine } from '../image/elf.ts'
import { gzip } from '../image/gzip.ts'
import { type TarEntry, tarOf } from '../image/oci.ts'
import { arOf } from './ar.ts'
import { shellDocuments } from './documents.ts'

const root = `${import.meta.dir}/../..`
const debian = `${import.meta.dir}/debian`

/**
 * Any executable that Bun makes runs with the C library of 2012 or later; deb.test.ts compares it
 * with the versions that the executable names.
 */
export const GLIBC_MIN = '2.17'

export interface DebOptions {
  readonly machine: Machine
  readonly executable: Uint8Array
  /** `Name <address>` of who answers for the package. */
  readonly maintainer: string
  /** Of all files, since 1970. */
  readonly seconds: number
  /** How hard to compress, from 1 to 12. */
  readonly level: number
}

/** The name of the package's file. */
export function debName(machine: Machine): string {
  return `comet_${packageJson.version}_${architectureOf(machine)}.deb`
}

/** The package, as the bytes of its file. */
export async function debOf(options: DebOptions): Promise<Uint8Array> {
  const { seconds, level } = options
  const files = await filesOf(options)
  const tars = [await controlFiles(options, files), files].map((all) =>
    tarOf([{ path: '.', mode: 0o755 }, ...withFolders(all)], seconds),
  )
  const [control, data] = (await Promise.all(tars)).map((tar) => gzip(tar, level))
  if (control === undefined || data === undefined) throw new Error('there are two archives')
  const members = [
    { name: 'debian-binary', bytes: Buffer.from('2.0\n') },
    { name: 'control.tar.gz', bytes: control },
    { name: 'data.tar.gz', bytes: data },
  ]
  return arOf(members, seconds)
}

/** A file of the package, from the root of the system. */
type File = TarEntry & { readonly bytes: Uint8Array }

async function filesOf({ executable, maintainer, seconds }: DebOptions): Promise<File[]> {
  const docs = 'usr/share/doc/comet'
  const unit = await textOf(`${root}/scripts/operate/comet.service`)
  const form = await textOf(`${debian}/copyright`)
  return [
    { path: 'usr/bin/comet', mode: 0o755, bytes: executable },
    text('usr/lib/systemd/system/comet.service', installed(unit)),
    text('etc/comet.toml', await textOf(`${debian}/comet.toml`)),
    text(`${docs}/copyright`, copyright(form, await textOf(`${root}/LICENSE`))),
    text(`${docs}/README.md`, await textOf(`${root}/README.md`)),
    packed(`${docs}/CHANGELOG.md.gz`, await textOf(`${root}/CHANGELOG.md`)),
    text('usr/share/lintian/overrides/comet', await textOf(`${debian}/lintian-overrides`)),
    packed(`${docs}/changelog.gz`, changelog(maintainer, seconds)),
    ...(await pagesOf()),
  ]
}

/** The unit of those who install by hand, with the places of a package. */
function installed(unit: string): string {
  return unit
    .replace('with the executable in /usr/local/bin and its', 'with its')
    .replaceAll('/usr/local/', '/usr/')
}

/** Pages of the manual are packed, as Debian has them. */
async function pagesOf(): Promise<File[]> {
  const documents = await shellDocuments()
  return documents.map(({ path, text: words }) => {
    const place = path.slice(1)
    return place.includes('/man/') ? packed(`${place}.gz`, words) : text(place, words)
  })
}

async function controlFiles(
  { machine, maintainer }: DebOptions,
  files: readonly File[],
): Promise<File[]> {
  const scripts = ['postinst', 'prerm', 'postrm'].map(async (path) => {
    return { ...text(path, await textOf(`${debian}/${path}`)), mode: 0o755 }
  })
  const kept = files.filter(({ path }) => path.startsWith('etc/'))
  const sums = files
    .filter((file) => !kept.includes(file))
    .map(({ path, bytes }) => {
      return `${createHash('md5').update(bytes).digest('hex')}  ${path}\n`
    })
  return [
    text('control', control(machine, maintainer, files)),
    text('conffiles', kept.map(({ path }) => `/${path}\n`).join('')),
    text('md5sums', sums.join('')),
    ...(await Promise.all(scripts)),
  ]
}

function control(machine: Machine, maintainer: string, files: readonly File[]): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0)
  const fields = {
    Package: 'comet',
    Version: packageJson.version,
    Architecture: architectureOf(machine),
    Maintainer: maintainer,
    'Installed-Size': String(Math.ceil(bytes / 1024)),
    Depends: `libc6 (>= ${GLIBC_MIN})`,
    Recommends: 'ca-certificates',
    Section: 'net',
    Priority: 'optional',
    Description: `server for very many HTTP streams, in one executable
 comet holds an open HTTP response for each of very many users, and pushes
 messages down it the moment they are published. Clients come back to what
 they have missed, prove who they are by tokens, and follow subjects.
 .
 The executable also has the tools that prove what a server holds: a client
 that opens very many streams, and a generator of messages.`,
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('')
}

/** In the form of Debian, with the one entry that its tools look for. */
function changelog(maintainer: string, seconds: number): string {
  const date = new Date(seconds * 1_000).toUTCString().replace('GMT', '+0000')
  const { version } = packageJson
  return `comet (${version}) stable; urgency=medium

  * Version ${version}; what has changed is in CHANGELOG.md.

 -- ${maintainer}  ${date}
`
}

/** Of the form of Debian that programs can read. */
function copyright(form: string, license: string): string {
  const [, holders = '', terms = ''] = /Copyright \(c\) (.*?)\n\n(.*)$/s.exec(license) ?? []
  return form.replace('@COPYRIGHT@', holders).replace('@LICENSE@', indented(terms))
}

function indented(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => (line === '' ? ' .' : ` ${line}`))
    .join('\n')
}

function architectureOf(machine: Machine): string {
  return machine === 'x64' ? 'amd64' : machine
}

function text(path: string, contents: string): File {
  return { path, mode: 0o644, bytes: Buffer.from(contents) }
}

/** Debian has long documents compressed. */
function packed(path: string, contents: string): File {
  return { path, mode: 0o644, bytes: gzip(Buffer.from(contents), 9) }
}

function textOf(path: string): Promise<string> {
  return Bun.file(path).text()
}

/** With each folder before what is in it, and all names as dpkg has them. */
function withFolders(files: readonly File[]): TarEntry[] {
  const folders = new Set<string>()
  for (const { path } of files) {
    for (let at = dirname(path); at !== '.'; at = dirname(at)) folders.add(at)
  }
  const entries: TarEntry[] = [...[...folders].map((path) => ({ path, mode: 0o755 })), ...files]
  return entries
    .sort((one, other) => (one.path < other.path ? -1 : 1))
    .map((entry) => ({ ...entry, path: `./${entry.path}` }))
}
