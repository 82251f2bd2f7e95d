// A registry of npm on loopback with a few packages, for tests that install them as people do.

import { createHash } from 'node:crypto'
import { unpackTar } from 'modern-tar'

export interface Registry extends Disposable {
  readonly url: string
}

/** @param archives of packages of different names */
export async function serveRegistry(archives: readonly Uint8Array[]): Promise<Registry> {
  const packages = new Map<string, { description: Description; bytes: Uint8Array }>()
  for (const bytes of archives) {
    const description = await descriptionIn(bytes)
    packages.set(description.name, { description, bytes })
  }
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch({ url }): Response {
      const [, path = ''] = /^\/(.*)$/.exec(new URL(url).pathname) ?? []
      const found = packages.get(decodeURIComponent(path.replace(/\/archive\.tgz$/, '')))
      if (found === undefined) return new Response('{}', { status: 404 })
      const { description, bytes } = found
      if (path.endsWith('/archive.tgz')) return new Response(Buffer.from(bytes))
      const { name, version } = description
      const digest = (kind: string, form: 'hex' | 'base64') =>
        createHash(kind).update(bytes).digest(form)
      const dist = {
        tarball: `${server.url.href}${name}/archive.tgz`,
        shasum: digest('sha1', 'hex'),
        integrity: `sha512-${digest('sha512', 'base64')}`,
      }
      const versions = { [version]: { ...description, dist } }
      return Response.json({ name, 'dist-tags': { latest: version }, versions })
    },
  })
  return { url: server.url.href, [Symbol.dispose]: () => void server.stop(true) }
}

interface Description {
  readonly name: string
  readonly version: string
}

async function descriptionIn(archive: Uint8Array): Promise<Description> {
  const entries = await unpackTar(Bun.gunzipSync(new Uint8Array(archive)))
  const found = entries.find(({ header }) => header.name === 'package/package.json')
  if (found?.data === undefined) throw new Error('a package without package.json')
  return JSON.parse(Buffer.from(found.data).toString())
}
