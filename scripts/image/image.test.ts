// Goal: the image has what comet needs and nothing else, engines can read it, and comet works in it
// as its user. Method: read the archive as an engine does; unpack it, enter it, serve, flood, stop.

import { beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import packageJson from '../../package.json'
import { COMET, run, serve, start } from '../support/comet.ts'
import { commitOfTree } from '../support/commit.ts'
import { type Confined, canConfine, inRoot } from '../support/confined.ts'
import { folderOfTests } from '../support/folder.ts'
import { floodReport, genReport } from '../support/reports.ts'
import { RUN_CONFIG } from './contents.ts'
import { readElf } from './elf.ts'
import { ReadImage } from './image.fixture.ts'
import { librariesOf } from './libraries.ts'

const USER = 65_532

const SOURCE = 'https://git.example/comet'

const IS_LINUX = process.platform === 'linux'

const folder = folderOfTests()
let image: ReadImage

/** Writes an archive, compressed as fast as can be. */
async function write(name: string, ...options: string[]): Promise<string> {
  const path = `${folder}/${name}`
  const script = `${import.meta.dir}/../image.ts`
  const command = [process.execPath, script, '--outfile', path, '--source', SOURCE]
  await Bun.$`${command} --level 1 ${options}`.quiet()
  return path
}

beforeAll(async () => {
  if (!IS_LINUX) return
  image = await ReadImage.read(await write('image.tar'), `${folder}/archive`)
})

describe.skipIf(!IS_LINUX)('an image', () => {
  test('is reproducible, byte for byte', async () => {
    const again = await write('again.tar')
    await Bun.$`cmp ${folder}/image.tar ${again}`
  })

  test('has blobs of these digests and layers of zstd, or of gzip for older engines', async () => {
    expect(image.layers.map(({ mediaType }) => mediaType)).toEqual(
      Array(3).fill('application/vnd.oci.image.layer.v1.tar+zstd'),
    )
    const older = await ReadImage.read(await write('gzip.tar', '--gzip'), `${folder}/gzip`)
    expect(older.layers.map(({ mediaType }) => mediaType)).toEqual(
      Array(3).fill('application/vnd.oci.image.layer.v1.tar+gzip'),
    )
    expect(older.config).toEqual(image.config)
  })

  test('has a manifest for docker load', async () => {
    const [listed, ...others] = await Bun.file(`${image.folder}/manifest.json`).json()
    expect(others).toEqual([])
    expect(listed.RepoTags).toEqual([`localhost/comet:${packageJson.version}`])
    expect(image.annotations['io.containerd.image.name']).toBe(listed.RepoTags[0])
    expect(await Bun.file(`${image.folder}/${listed.Config}`).json()).toEqual(image.config)
    const blobs = (await readdir(`${image.folder}/blobs/sha256`)).map(
      (name) => `blobs/sha256/${name}`,
    )
    for (const layer of listed.Layers) expect(blobs).toContain(layer)
  })

  test('has comet, its loader and libraries, certificates, a user and a folder for data', async () => {
    const elf = readElf(await Bun.file(COMET).bytes())
    if (elf === undefined) throw new Error('no ELF')
    const libraries = (await librariesOf(elf)).map(({ path }) => path)
    const listed = await image.list()
    const files = listed.filter(({ path }) => !path.endsWith('/')).map(({ path }) => `/${path}`)
    expect(files.filter((path) => path !== '/etc/ssl/certs/ca-certificates.crt').sort()).toEqual(
      ['/comet', '/etc/group', '/etc/passwd', ...libraries].sort(),
    )
    expect(listed.filter(({ owner }) => owner !== '0/0')).toEqual([
      { mode: 'drwx------', owner: `${USER}/${USER}`, size: 0, path: 'data/' },
    ])
    for (const { mode } of listed) expect(mode).toMatch(/^[d-]rw[x-]r-[x-]r-[x-]$|^drwx------$/)
    expect(listed.find(({ path }) => path === 'comet')?.size).toBe(Bun.file(COMET).size)
  })

  test.skipIf(Bun.which('ldd') === null)('has the libraries that ldd finds', async () => {
    const elf = readElf(await Bun.file(COMET).bytes())
    if (elf === undefined) throw new Error('no ELF')
    const told = await Bun.$`ldd ${COMET}`.nothrow().text()
    const found = [...told.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path)
    const libraries = await librariesOf(elf)
    expect(libraries.map(({ path }) => path)).toEqual(found.sort() as string[])
    expect(libraries.every(({ path, source }) => path === source)).toBe(true)
  })

  test('has the user, ports, volume, labels and command to run comet', async () => {
    const { architecture, os, config } = image.config
    expect([os, architecture]).toEqual(['linux', process.arch === 'x64' ? 'amd64' : 'arm64'])
    const { Labels: labels, ...settings } = config
    const { Labels: fixed, ...expected } = RUN_CONFIG
    expect(settings).toEqual(expected as object as Record<string, unknown>)
    const { revision, seconds } = await commitOfTree()
    expect(labels).toEqual({
      ...fixed,
      'org.opencontainers.image.created': new Date(seconds * 1_000)
        .toISOString()
        .replace('.000', ''),
      'org.opencontainers.image.revision': String(revision),
      'org.opencontainers.image.source': SOURCE,
    })
    expect(config).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['/comet'],
      Cmd: ['serve'],
      StopSignal: 'SIGTERM',
    })
  })
})

describe.skipIf(!IS_LINUX)('an image for both kinds of machines', () => {
  /** Some bytes in the place of comet, which a machine of that kind would load. */
  async function imposter(machine: number, loader: string): Promise<string> {
    const bytes = Buffer.alloc(256)
    bytes.write('7f454c460201', 'hex')
    bytes.writeUInt16LE(machine, 18)
    // One segment with the name of the loader, and none that says which libraries it needs.
    bytes.writeBigUInt64LE(64n, 32)
    bytes.writeUInt16LE(56, 54)
    bytes.writeUInt16LE(1, 56)
    bytes.writeUInt32LE(3, 64)
    bytes.writeBigUInt64LE(128n, 72)
    bytes.write(loader, 128)
    const path = `${folder}/for-${machine}`
    await Bun.write(path, bytes)
    return path
  }

  const HAS_BOTH = ['/lib64/ld-linux-x86-64.so.2', '/usr/aarch64-linux-gnu/lib'].every(existsSync)

  const isRoot = process.getuid?.() === 0

  test.skipIf(!HAS_BOTH || !isRoot)(
    'has one under one name for each, with its loader',
    async () => {
      const executables = [
        await imposter(62, '/lib64/ld-linux-x86-64.so.2'),
        await imposter(183, '/lib/ld-linux-aarch64.so.1'),
      ]
      const options = executables.flatMap((path) => ['--executable', path])
      const images = await ReadImage.readAll(await write('both.tar', ...options), `${folder}/both`)
      expect(images.map(({ config }) => config.architecture)).toEqual(['amd64', 'arm64'])
      const machines = ['x64', 'arm64'] as const
      for (const [at, image] of images.entries()) {
        const root = `${folder}/root-${at}`
        await image.unpack(root)
        expect(await Bun.file(`${root}/comet`).bytes()).toEqual(
          await Bun.file(String(executables[at])).bytes(),
        )
        const loader = at === 0 ? 'lib64/ld-linux-x86-64.so.2' : 'lib/ld-linux-aarch64.so.1'
        expect(readElf(await Bun.file(`${root}/${loader}`).bytes())?.machine).toBe(machines[at])
        expect(image.annotations['io.containerd.image.name']).toBe(
          `localhost/comet:${packageJson.version}`,
        )
      }
      const [docker] = await Bun.file(`${folder}/both/manifest.json`).json()
      expect(await Bun.file(`${folder}/both/${docker.Config}`).json()).toEqual(images[0]?.config)
    },
  )
})

describe.skipIf(!IS_LINUX || !canConfine)('in the image (skipped unless root may confine)', () => {
  let root: string

  beforeAll(async () => {
    root = `${folder}/root`
    await image.unpack(root)
  })

  const enter = (...args: string[]) => inRoot(root, USER, ['/comet', ...args])

  /** Starts a server in there. */
  async function serveIn(...args: string[]): Promise<Confined> {
    const server = enter('serve', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', ...args)
    return await server.listening()
  }

  /** Everything that could have changed; the folders that are mounted on are there already. */
  async function listing(): Promise<string> {
    const what = '%y %m %U:%G %s %T@ %p\n'
    return await Bun.$`find ${root} -path ${root}/data -prune -o -path ${root} -o -printf ${what}`
      .text()
      .then((text) => text.split('\n').sort().join('\n'))
  }

  test('comet opens a database of very many names without a temporary file', async () => {
    const pairs = Array.from({ length: 200_000 }, (_, at) => `subscriber-${at} subject-${at}`)
    await Bun.write(`${folder}/names.txt`, pairs.join('\n'))
    const db = `${root}/data/names.db`
    await run(['friends', 'load', '--names', '--db', db, `${folder}/names.txt`])
    await Bun.$`chown ${USER}:${USER} ${db}`
    // All of the database is read, not the snapshot of the load.
    await Bun.$`rm ${db}-index`
    await using server = await serveIn('--db', '/data/names.db')
    server.signal('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
    await Bun.$`rm ${db} ${db}-index ${db}-log ${db}-log-heads`
  })

  test('comet serves a flood, is healthy, stops, and changes only /data', async () => {
    await Bun.$`mkdir -p ${root}/proc ${root}/dev`
    const before = await listing()
    await using server = await serveIn('--db', '/data/comet.db')
    expect(server.stderr).toMatch(/"pid":1[,}]/)
    const flood = ['flood', `${server.publicUrl}/test/{id}`, '--connections', '1k', '--json']
    await using flooding = start(flood)
    await server.open(1_000)
    await using ready = enter('health', server.controlUrl, '--ready')
    expect(await ready.finished).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    const gen = ['gen', server.controlUrl, '--users', '1k', '--address', 'to', '--messages', '1000']
    const generated = genReport(await run([...gen, '--json']))
    expect(generated.delivered).toBe(1_000)
    server.signal('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
    await server.logged('"event":"stopped"')
    const flooded = floodReport(await flooding.finished)
    expect(flooded.connections).toMatchObject({ opened: 1_000, failed: 0 })
    expect(flooded.received).toMatchObject({ messages: 1_000, duplicated: 0, reordered: 0 })
    await using late = enter('health', server.controlUrl)
    expect((await late.finished).exitCode).toBe(1)
    expect(await listing()).toBe(before)
    const files = await readdir(`${root}/data`)
    expect(files.toSorted()).toEqual(['comet.db', 'comet.db-log', 'comet.db-log-heads'])
  })

  test('comet health looks names up in /etc/hosts, which engines write', async () => {
    await Bun.write(`${root}/etc/hosts`, '127.0.0.1 a-name-of-this-test\n')
    await using server = await serve(['--control-host', 'a-name-of-this-test'])
    const port = server.controlPort
    await using known = enter('health', `http://a-name-of-this-test:${port}`)
    expect(await known.finished).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    await using strict = await serve()
    await using misnamed = enter('health', `http://a-name-of-this-test:${strict.controlPort}`)
    expect((await misnamed.finished).exitCode).toBe(1)
    expect(misnamed.stderr).toContain('start comet with --control-host')
    await using unknown = enter('health', `http://no-name-of-this-test:${port}`)
    expect((await unknown.finished).exitCode).toBe(1)
    expect(unknown.stderr).toContain('does not answer')
  })

  test('comet starts workers', async () => {
    await using server = await serveIn('--db', ':memory:', '--workers', '2')
    await using ready = enter('health', server.controlUrl, '--ready')
    expect((await ready.finished).exitCode).toBe(0)
    server.signal('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
  })
})
