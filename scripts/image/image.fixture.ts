// Reads an image's archive as an engine would: from the index to the manifest, the configuration
// and the layers, each held against its digest. For image.test.ts; it shares no code with what
// writes it.

import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export interface ImageConfig {
  readonly created: string
  readonly architecture: string
  readonly os: string
  readonly config: Readonly<Record<string, unknown>>
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] }
  readonly history: readonly { readonly created_by: string }[]
}

interface Layer {
  readonly mediaType: string
  readonly tar: Uint8Array
}

/** An entry of a layer, as `tar` lists it. */
export interface Listed {
  readonly mode: string
  readonly owner: string
  readonly size: number
  readonly path: string
}

export class ReadImage {
  readonly folder: string
  readonly annotations: Readonly<Record<string, string>>
  readonly config: ImageConfig
  readonly layers: readonly Layer[]

  private constructor(from: Pick<ReadImage, 'folder' | 'annotations' | 'config' | 'layers'>) {
    this.folder = from.folder
    this.annotations = from.annotations
    this.config = from.config
    this.layers = from.layers
  }

  /** Unpacks the archive of one image into a folder, and checks all of it. */
  static async read(archive: string, folder: string): Promise<ReadImage> {
    const images = await ReadImage.readAll(archive, folder)
    const [image] = images
    if (image === undefined || images.length > 1) throw new Error(`${images.length} images`)
    return image
  }

  /** The same for the images of one name, each for another machine. */
  static async readAll(archive: string, folder: string): Promise<ReadImage[]> {
    await mkdir(folder)
    await Bun.$`tar -xf ${archive} -C ${folder}`.quiet()
    const layout = await Bun.file(`${folder}/oci-layout`).json()
    if (layout.imageLayoutVersion !== '1.0.0') throw new Error('no layout of OCI')
    const index = await Bun.file(`${folder}/index.json`).json()
    const [named, ...others] = index.manifests
    if (others.length > 0) throw new Error('more than one name')
    const { annotations } = named
    if (!named.mediaType.endsWith('.index.v1+json')) {
      return [await ReadImage.#read(folder, named, annotations)]
    }
    const list = JSON.parse(Buffer.from(await blob(folder, named)).toString())
    const images: ReadImage[] = []
    for (const described of list.manifests) {
      const image = await ReadImage.#read(folder, described, annotations)
      const { architecture, os } = image.config
      const { platform } = described
      if (platform.architecture !== architecture || platform.os !== os) {
        throw new Error(`an image for ${architecture} is called one for ${platform.architecture}`)
      }
      images.push(image)
    }
    return images
  }

  static async #read(
    folder: string,
    described: Descriptor,
    annotations: Readonly<Record<string, string>>,
  ): Promise<ReadImage> {
    const manifest = JSON.parse(Buffer.from(await blob(folder, described)).toString())
    const config = JSON.parse(Buffer.from(await blob(folder, manifest.config)).toString())
    const layers: Layer[] = []
    for (const layer of manifest.layers as Descriptor[]) {
      const tar = unpacked(layer.mediaType, await blob(folder, layer))
      const expected = config.rootfs.diff_ids[layers.length]
      if (digestOf(tar) !== expected) throw new Error(`a layer is not ${expected}`)
      layers.push({ mediaType: layer.mediaType, tar })
    }
    return new ReadImage({ folder, annotations, config, layers })
  }

  /** All entries, the lowest layer first. */
  async list(): Promise<Listed[]> {
    const all: Listed[] = []
    for (const { tar } of this.layers) {
      const lines = await Bun.$`tar -tv --numeric-owner < ${Buffer.from(tar)}`.text()
      for (const line of lines.trim().split('\n')) {
        const [mode = '', owner = '', size = '', , , path = ''] = line.split(/\s+/)
        all.push({ mode, owner, size: Number(size), path })
      }
    }
    return all
  }

  /** Puts the layers on top of each other, with the owners they name; that takes root. */
  async unpack(root: string): Promise<void> {
    await mkdir(root)
    for (const { tar } of this.layers) {
      await Bun.$`tar -xp --numeric-owner --same-owner -C ${root} < ${Buffer.from(tar)}`.quiet()
    }
  }
}

async function blob(folder: string, { digest, size }: Descriptor): Promise<Uint8Array> {
  const bytes = await Bun.file(`${folder}/blobs/${digest.replace(':', '/')}`).bytes()
  if (bytes.length !== size) throw new Error(`${digest} has ${bytes.length} bytes, not ${size}`)
  if (digestOf(bytes) !== digest) throw new Error(`${digest} is ${digestOf(bytes)}`)
  return bytes
}

function unpacked(mediaType: string, bytes: Uint8Array): Uint8Array {
  if (mediaType.endsWith('+zstd')) return Bun.zstdDecompressSync(bytes)
  return Bun.gunzipSync(new Uint8Array(bytes))
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
