// What a comparison needs of the machine and which of it is missing, with the package of Debian's
// that brings it. Pure: installed.ts looks, and nothing installs anything.

import type { PeerName } from './names.ts'

/** What was found. */
export interface Found {
  /** Is there a /proc to read memory and processor time from, and epoll? */
  readonly isLinux: boolean
  readonly cc: string | null
  /** Can a program be compiled with libevent's HTTP server? */
  readonly hasLibevent: boolean
  readonly nginx: string | null
  /** The module as a file that nginx can load. */
  readonly nchan: string | null
  readonly openFiles: number
}

/** Something that is missing. */
export interface Lack {
  readonly what: string
  /** Of Debian; null if no package brings it. */
  readonly packages: readonly string[]
  /** Who cannot be measured without it. */
  readonly peers: readonly PeerName[]
}

/** Open files that a server needs beside its streams: comet keeps a reserve, and nginx a part. */
const FILES_BESIDES = 1_200
const FILES_RATIO = 1.07

interface Need {
  readonly what: string
  readonly packages: readonly string[]
  readonly peers: readonly PeerName[]
  readonly isMet: (found: Found) => boolean
}

const NEEDS: readonly Need[] = [
  {
    what: 'nginx',
    packages: ['nginx'],
    peers: ['nchan'],
    isMet: ({ nginx }) => nginx !== null,
  },
  {
    what: "nginx's module nchan",
    packages: ['libnginx-mod-nchan'],
    peers: ['nchan'],
    isMet: ({ nchan }) => nchan !== null,
  },
  {
    what: 'a C compiler (cc)',
    packages: ['gcc', 'libc6-dev'],
    peers: ['evhttp', 'floor'],
    isMet: ({ cc }) => cc !== null,
  },
  {
    what: 'libevent to compile with',
    packages: ['libevent-dev'],
    peers: ['evhttp'],
    isMet: ({ hasLibevent }) => hasLibevent,
  },
]

/** What is missing for these peers; nothing if they can all be measured. */
export function lacking(found: Found, peers: readonly PeerName[], connections: number): Lack[] {
  if (!found.isLinux) return [{ what: 'Linux', packages: [], peers }]
  const lacks = NEEDS.filter((need) => !need.isMet(found)).map(({ what, packages, ...need }) => {
    return { what, packages, peers: need.peers.filter((name) => peers.includes(name)) }
  })
  const filesMin = Math.ceil(connections * FILES_RATIO) + FILES_BESIDES
  if (found.openFiles < filesMin) {
    const limit = `${filesMin} open files a process (ulimit -n), not ${found.openFiles},`
    lacks.push({ what: limit, packages: [], peers: [...peers] })
  }
  return lacks.filter((lack) => lack.peers.length > 0)
}

/** The same for people, with what they can do about it. */
export function lackingText(lacks: readonly Lack[], peers: readonly PeerName[]): string {
  if (lacks.length === 0) return `Nothing is missing for ${peers.join(', ')}.`
  const lines = lacks.map(({ what, peers: without }) => `  ${what} for ${without.join(', ')}`)
  const packages = [...new Set(lacks.flatMap((lack) => lack.packages))]
  const possible = peers.filter((name) => !lacks.some((lack) => lack.peers.includes(name)))
  return [
    'Missing:',
    ...lines,
    ...(packages.length === 0 ? [] : [`On Debian: apt-get install ${packages.join(' ')}`]),
    ...(possible.length === 0 ? [] : [`Without it: --only ${possible.join(',')}`]),
  ].join('\n')
}
