// What is in the image and how it is run: files, owners, and the settings that a container starts
// with. The archive and the Dockerfile are both made from here; how an image is written is not
// known here.

import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import packageJson from '../../package.json'
import { type Machine, readElf } from './elf.ts'
import { librariesOf } from './libraries.ts'
import type { TarEntry } from './oci.ts'

/** The user that comet is in a container, and its group; other images of that kind have it too. */
const USER = 65_532

/** Where the database lies, and where comet is run, so that every relative path is there. */
const DATA = '/data'

const PROGRAM = '/comet'

/** Where programs look for the certificates of authorities that they trust. */
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'

export type LayerName = (typeof LAYERS)[number]

/** From what changes least to what changes most. */
export const LAYERS = ['system', 'data', 'program'] as const

export interface Contents {
  readonly machine: Machine
  readonly layers: Readonly<Record<LayerName, readonly TarEntry[]>>
}

/** The contents of an image with this executable, and the libraries for it on this machine. */
export async function contentsWith(executable: string): Promise<Contents> {
  const bytes = await Bun.file(executable).bytes()
  const elf = readElf(bytes)
  if (elf === undefined) throw new Error(`${executable} is no executable for Linux on x64 or arm64`)
  const files: TarEntry[] = [
    text('/etc/group', `root:x:0:\ncomet:x:${USER}:\n`),
    text(
      '/etc/passwd',
      `root:x:0:0:root:/:/sbin/nologin\ncomet:x:${USER}:${USER}:comet:${DATA}:/sbin/nologin\n`,
    ),
  ]
  if (existsSync(CERTIFICATES)) files.push(await copy(CERTIFICATES, CERTIFICATES, 0o644))
  for (const { path, source } of await librariesOf(elf)) files.push(await copy(path, source, 0o755))
  return {
    machine: elf.machine,
    layers: {
      system: withFolders(files),
      data: [{ path: inside(DATA), mode: 0o700, owner: USER }],
      program: [{ path: inside(PROGRAM), mode: 0o755, bytes }],
    },
  }
}

/** What an engine is told of a container, in the names that Docker and OCI have for it. */
export const RUN_CONFIG = {
  User: `${USER}:${USER}`,
  // The control port is not for the outside; it is on loopback unless a token guards it.
  ExposedPorts: { '8000/tcp': {} },
  // From outside of a container its loopback cannot be reached. Without keys it then asks for
  // --anonymous.
  Env: ['PATH=/', 'COMET_LISTEN=0.0.0.0:8000'],
  Entrypoint: [PROGRAM],
  Cmd: ['serve'],
  Volumes: { [DATA]: {} },
  WorkingDir: DATA,
  Labels: {
    'org.opencontainers.image.title': packageJson.name,
    'org.opencontainers.image.description': packageJson.description,
    'org.opencontainers.image.version': packageJson.version,
    'org.opencontainers.image.licenses': packageJson.license,
  },
  StopSignal: 'SIGTERM',
  // No part of OCI's configuration, but Docker reads it there too. Alive, not ready: a server that
  // is full must not be started again.
  Healthcheck: {
    Test: ['CMD', PROGRAM, 'health'],
    Interval: 30e9,
    Timeout: 5e9,
    // A million users' subscriptions are read in four seconds if there is no snapshot of them.
    StartPeriod: 30e9,
    Retries: 3,
  },
} as const

/** What an image is made of. */
export interface Origin {
  /** Of the commit; null if that is not known. */
  readonly revision: string | null
  /** When the commit was made, in RFC 3339. */
  readonly created: string
  /** Where the source is; null if unknown. */
  readonly source: string | null
}

/** The settings of an image, with labels that say what it is made of. */
export function runConfigOf({ revision, created, source }: Origin): typeof RUN_CONFIG {
  const origin = {
    'org.opencontainers.image.created': created,
    ...(revision === null ? {} : { 'org.opencontainers.image.revision': revision }),
    ...(source === null ? {} : { 'org.opencontainers.image.source': source }),
  }
  return { ...RUN_CONFIG, Labels: { ...RUN_CONFIG.Labels, ...origin } }
}

/** A path of the image as archives have it. */
function inside(path: string): string {
  return path.slice(1)
}

function text(path: string, contents: string): TarEntry {
  return { path: inside(path), mode: 0o644, bytes: new TextEncoder().encode(contents) }
}

/** The file that the source leads to, under a path of the image. */
async function copy(path: string, source: string, mode: number): Promise<TarEntry> {
  return { path: inside(path), mode, bytes: await Bun.file(source).bytes() }
}

/** With each folder before what is in it. */
function withFolders(files: readonly TarEntry[]): TarEntry[] {
  const folders = new Set<string>()
  for (const { path } of files) {
    for (let at = dirname(path); at !== '.'; at = dirname(at)) folders.add(at)
  }
  const entries = [...[...folders].map((path) => ({ path, mode: 0o755 })), ...files]
  return entries.sort((one, other) => (one.path < other.path ? -1 : 1))
}
