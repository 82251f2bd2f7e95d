// What a comparison needs of the machine: what was found, what is missing, and the package of
// Debian that has it. Nothing is installed.

import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { openFilesLimit } from '../../src/os/descriptors.ts'
import { version } from '../harness/machine.ts'
import type { PeerName } from './servers.ts'

/** Where Debian has servers; not in every PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

const NCHAN = 'ngx_nchan_module.so'

/** Where socket.io is installed, for its server alone: nothing else of comet needs it. */
export const SOCKET_IO = `${import.meta.dir}/socket-io`
const SOCKET_IO_PACKAGE = `${SOCKET_IO}/node_modules/socket.io/package.json`

/** Open files that a server needs besides its streams: comet keeps a reserve, and nginx a part. */
const OTHER_FILES = 1_200
const FILES_RATIO = 1.07

export interface Found {
  /** Linux has the /proc that memory and CPU time are read from, and epoll. */
  readonly isLinux: boolean
  readonly cc: string | null
  /** Can a program be compiled with libevent's HTTP server? */
  readonly hasLibevent: boolean
  readonly nginx: string | null
  /** The module as a file that nginx can load. */
  readonly nchan: string | null
  readonly pushpin: string | null
  readonly mosquitto: string | null
  /** Node, and whether socket.io is installed for it. */
  readonly node: string | null
  readonly hasSocketIo: boolean
  readonly openFiles: number
}

export async function lookForPeers(): Promise<Found> {
  const cc = Bun.which('cc')
  const path = [process.env['PATH'] ?? '', ...SERVER_FOLDERS].join(delimiter)
  const found = (name: string) => Bun.which(name, { PATH: path })
  const nginx = found('nginx')
  return {
    isLinux: process.platform === 'linux',
    cc,
    hasLibevent: cc !== null && (await hasHeader(cc, 'event2/http.h')),
    nginx,
    nchan: nginx === null ? null : await nchanOf(nginx),
    // Without either of these pushpin starts nothing.
    pushpin: found('condure') === null || found('zurl') === null ? null : found('pushpin'),
    mosquitto: found('mosquitto'),
    node: found('node'),
    hasSocketIo: existsSync(SOCKET_IO_PACKAGE),
    openFiles: openFilesLimit(),
  }
}

async function hasHeader(cc: string, header: string): Promise<boolean> {
  const source = new Response(`#include <${header}>\n`)
  const trying = Bun.$`${cc} -E -x c -o /dev/null - < ${source}`.nothrow().quiet()
  return (await version('cc', trying)).exitCode === 0
}

/** nginx knows the folder of its modules. */
async function nchanOf(nginx: string): Promise<string | null> {
  const built = await version('nginx', Bun.$`${nginx} -V`.nothrow().quiet())
  const folder = /--modules-path=(\S+)/.exec(built.stderr.toString())?.[1]
  const file = `${folder}/${NCHAN}`
  return folder !== undefined && existsSync(file) ? file : null
}

/** As Debian, npm and Node number them; null where a package is not installed. */
export interface PackageVersions {
  readonly nginx: string | null
  readonly nchan: string | null
  readonly libevent: string | null
  readonly pushpin: string | null
  readonly mosquitto: string | null
  readonly socketIo: string | null
  readonly node: string | null
}

export async function readPackageVersions(): Promise<PackageVersions> {
  return {
    nginx: await packageVersion('nginx'),
    nchan: await packageVersion('libnginx-mod-nchan'),
    libevent: await packageVersion('libevent-dev'),
    pushpin: await packageVersion('pushpin'),
    mosquitto: await packageVersion('mosquitto'),
    socketIo: await socketIoVersion(),
    node: Bun.which('node') === null ? null : await nodeVersion(),
  }
}

async function socketIoVersion(): Promise<string | null> {
  if (!existsSync(SOCKET_IO_PACKAGE)) return null
  return ((await Bun.file(SOCKET_IO_PACKAGE).json()) as { version: string }).version
}

async function nodeVersion(): Promise<string | null> {
  const asked = await version('node', Bun.$`node --version`.nothrow().quiet())
  return asked.exitCode === 0 ? asked.stdout.toString().trim().replace(/^v/, '') : null
}

async function packageVersion(name: string): Promise<string | null> {
  if (Bun.which('dpkg-query') === null) return null
  const asked = await version('dpkg-query', Bun.$`dpkg-query -W ${name}`.nothrow().quiet())
  // The name, a tab, and the version, which is empty for a package that was removed.
  const found = asked.stdout.toString().split('\t')[1]?.trim() ?? ''
  return asked.exitCode === 0 && found !== '' ? found : null
}

/** Something that is missing. */
export interface Missing {
  readonly what: string
  /** Of Debian; none if no package has it. */
  readonly packages: readonly string[]
  /** Gets it where no package of Debian has it. */
  readonly command?: string
  /** The peers that cannot be measured without it. */
  readonly peers: readonly PeerName[]
}

interface Need extends Missing {
  readonly isMet: (found: Found) => boolean
}

function need(
  what: string,
  packages: readonly string[],
  peers: readonly PeerName[],
  isMet: Need['isMet'],
): Need {
  return { what, packages, peers, isMet }
}

const NEEDS: readonly Need[] = [
  need('nginx', ['nginx'], ['nchan'], ({ nginx }) => nginx !== null),
  need("nginx's module nchan", ['libnginx-mod-nchan'], ['nchan'], ({ nchan }) => nchan !== null),
  need('pushpin', ['pushpin', 'zurl'], ['pushpin'], ({ pushpin }) => pushpin !== null),
  need('mosquitto', ['mosquitto'], ['mosquitto'], ({ mosquitto }) => mosquitto !== null),
  need('Node', ['nodejs'], ['socket-io'], ({ node }) => node !== null),
  {
    ...need('socket.io of npm', [], ['socket-io'], ({ hasSocketIo }) => hasSocketIo),
    command: 'bun install --frozen-lockfile --cwd bench/peers/socket-io',
  },
  need('a C compiler (cc)', ['gcc', 'libc6-dev'], ['evhttp', 'floor'], ({ cc }) => cc !== null),
  need('libevent to compile with', ['libevent-dev'], ['evhttp'], (found) => found.hasLibevent),
]

/** What is missing for these peers; nothing if they can all be measured. */
export function missingFor(
  found: Found,
  peers: readonly PeerName[],
  connections: number,
): Missing[] {
  if (!found.isLinux) return [{ what: 'Linux', packages: [], peers }]
  const missing: Missing[] = NEEDS.filter((of) => !of.isMet(found)).map(({ isMet: _, ...of }) => {
    return { ...of, peers: of.peers.filter((name) => peers.includes(name)) }
  })
  const filesMin = Math.ceil(connections * FILES_RATIO) + OTHER_FILES
  if (found.openFiles < filesMin) {
    const limit = `${filesMin} open files a process (ulimit -n), not ${found.openFiles},`
    missing.push({ what: limit, packages: [], peers: [...peers] })
  }
  return missing.filter((of) => of.peers.length > 0)
}

/** The same for people, with what they can do about it. */
export function missingText(missing: readonly Missing[], peers: readonly PeerName[]): string {
  if (missing.length === 0) return `Nothing is missing for ${peers.join(', ')}.`
  const lines = missing.map(({ what, peers: without }) => `  ${what} for ${without.join(', ')}`)
  const packages = [...new Set(missing.flatMap((of) => of.packages))]
  const commands = missing.flatMap(({ command }) => command ?? [])
  const possible = peers.filter((name) => !missing.some((of) => of.peers.includes(name)))
  return [
    'Missing:',
    ...lines,
    ...(packages.length === 0 ? [] : [`On Debian: apt-get install ${packages.join(' ')}`]),
    ...commands,
    ...(possible.length === 0 ? [] : [`Without it: --only ${possible.join(',')}`]),
  ].join('\n')
}
