// Writes images as archives in the layout of OCI 1.0, with the list that `docker save` adds for
// older engines. The same files make the same bytes: their order, owners and times are given, not
// read.

import { createHash } from 'node:crypto'
import { packTar } from 'modern-tar'

/** A file of an archive, or a folder if it has no bytes. */
export interface TarEntry {
  /** Without a slash at the beginning or the end. */
  readonly path: string
  readonly mode: number
  /** Of the user and of the group; root's without it. */
  readonly owner?: number
  readonly bytes?: Uint8Array
}

export interface Image {
  /** With the registry and the tag, like `localhost/comet:0.2.0`. */
  readonly name: string
  readonly architecture: 'amd64' | 'arm64'
  /** How a container is run. */
  readonly config: object
  /** The lowest first. */
  readonly layers: readonly Layer[]
  /** When it was made, in seconds since 1970. */
  readonly seconds: number
}

export interface Layer {
  readonly entries: readonly TarEntry[]
  /** How it came to be, for `docker history`. */
  readonly made: string
}

export interface Compression {
  readonly name: 'gzip' | 'zstd'
  readonly compress: (bytes: Uint8Array) => Uint8Array
}

interface Blob {
  readonly digest: string
  readonly bytes: Uint8Array
}

/** In RFC 3339, as OCI writes times. */
export function createdAt(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000', '')
}

const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const

/** An image in its parts. */
interface Packed {
  readonly manifest: Blob
  readonly config: Blob
  readonly layers: readonly Blob[]
  readonly platform: object
}

/**
 * The bytes of an archive with one image, or with one for each of several machines.
 *
 * @param images of one name and time; engines that know no list of images take the first
 */
export async function archiveOf(
  images: readonly [Image, ...Image[]],
  compression: Compression,
): Promise<Uint8Array> {
  const [{ name, seconds }] = images
  const packed: Packed[] = []
  for (const image of images) packed.push(await packedOf(image, compression))
  const [first] = packed
  if (first === undefined) throw new Error('there is no image')
  const manifests = packed.map(({ manifest, platform }) => ({
    ...descriptor(MEDIA.manifest, manifest),
    platform,
  }))
  const list = blobOf({ schemaVersion: 2, mediaType: MEDIA.index, manifests })
  const [only] = manifests
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests: [
      {
        // One name is one entry, so several images are in a list of their own.
        ...(manifests.length === 1 ? only : descriptor(MEDIA.index, list)),
        // Docker and Podman take the name from the first, others from the second.
        annotations: {
          'io.containerd.image.name': name,
          'org.opencontainers.image.ref.name': tagOf(name),
        },
      },
    ],
  }
  // What a `docker load` without OCI reads: files of the archive by their paths.
  const docker = [
    {
      Config: pathOf(first.config),
      RepoTags: [name],
      Layers: first.layers.map((layer) => pathOf(layer)),
    },
  ]
  const all = packed.flatMap(({ manifest, config, layers }) => [manifest, config, ...layers])
  // Images may have layers in common.
  const blobs = new Map((packed.length === 1 ? all : [list, ...all]).map((of) => [pathOf(of), of]))
  const entries: TarEntry[] = [
    file('oci-layout', jsonOf({ imageLayoutVersion: '1.0.0' })),
    file('index.json', jsonOf(index)),
    file('manifest.json', jsonOf(docker)),
    ...['blobs', 'blobs/sha256'].map((path) => ({ path, mode: 0o755 })),
    ...[...blobs].map(([path, { bytes }]) => file(path, bytes)),
  ]
  return await tarOf(entries, seconds)
}

async function packedOf(image: Image, { name, compress }: Compression): Promise<Packed> {
  const { architecture, seconds } = image
  // Without the time, so that what has not changed is the same layer in the next version.
  const tars = await Promise.all(image.layers.map(({ entries }) => tarOf(entries, 0)))
  const layers = tars.map((tar) => blobOf(compress(tar)))
  const created = createdAt(seconds)
  const platform = { architecture, os: 'linux' }
  const config = blobOf({
    created,
    ...platform,
    config: image.config,
    rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
    history: image.layers.map(({ made }) => ({ created, created_by: made })),
  })
  const manifest = blobOf({
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: descriptor(MEDIA.config, config),
    layers: layers.map((layer) => descriptor(`${MEDIA.layer}+${name}`, layer)),
  })
  return { manifest, config, layers, platform }
}

/** @param seconds the time of all entries, since 1970 */
export function tarOf(entries: readonly TarEntry[], seconds: number): Promise<Uint8Array> {
  const mtime = new Date(seconds * 1_000)
  return packTar(
    entries.map(({ path, mode, owner = 0, bytes }) => {
      const header = { mode, uid: owner, gid: owner, mtime, uname: '', gname: '' }
      return bytes === undefined
        ? { header: { ...header, name: `${path}/`, type: 'directory', size: 0 } }
        : { header: { ...header, name: path, type: 'file', size: bytes.length }, body: bytes }
    }),
  )
}

function tagOf(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1)
}

function file(path: string, bytes: Uint8Array): TarEntry {
  return { path, mode: 0o644, bytes }
}

function blobOf(contents: Uint8Array | object): Blob {
  const bytes = contents instanceof Uint8Array ? contents : jsonOf(contents)
  return { digest: digestOf(bytes), bytes }
}

function jsonOf(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function descriptor(mediaType: string, { digest, bytes }: Blob) {
  return { mediaType, digest, size: bytes.length }
}

function pathOf({ digest }: Blob): string {
  return `blobs/${digest.replace(':', '/')}`
}
