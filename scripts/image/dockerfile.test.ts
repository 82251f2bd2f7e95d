// Goal: the Dockerfile makes the image that `bun run image` writes. Method: read its instructions
// and hold them against what the archive is made from; no engine is needed, so its first stage is
// not run.

import { expect, test } from 'bun:test'
import { lstat, readFile } from 'node:fs/promises'
import packageJson from '../../package.json'
import { makeFolder } from '../support/folder.ts'
import { contentsWith, LAYERS, runConfigOf } from './contents.ts'

const root = `${import.meta.dir}/../..`

interface Instruction {
  readonly name: string
  readonly words: string
}

/** The instructions of each stage, with lines that go on put together. */
function stagesOf(text: string): Instruction[][] {
  const stages: Instruction[][] = []
  for (const line of text.replaceAll(/\s*\\\n\s*/g, ' ').split('\n')) {
    const [, name = '', words = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (name === 'FROM') stages.push([])
    if (name !== '') stages.at(-1)?.push({ name, words })
  }
  return stages
}

const [building = [], final = []] = stagesOf(await readFile(`${root}/Dockerfile`, 'utf8'))

/** The words of the only instruction of this name. */
function only(name: string): string {
  const found = final.filter((one) => one.name === name)
  if (found.length !== 1) throw new Error(`${found.length} times ${name}`)
  return found[0]?.words ?? ''
}

test('the Dockerfile builds with the Bun version of package.json', () => {
  const [from, ...steps] = building
  expect(from?.words).toBe(`oven/bun:${packageJson.devDependencies['bun-types']} AS build`)
  const ran = steps.filter(({ name }) => name === 'RUN').map(({ words }) => words)
  expect(ran.at(-1)).toBe('bun scripts/build.ts && bun scripts/image.ts --folder /image')
  expect(final[0]).toEqual({ name: 'FROM', words: 'scratch' })
})

test('the Dockerfile has the same configuration as the archive', () => {
  const health = /^(.*) CMD (\[.*\])$/.exec(only('HEALTHCHECK'))
  const flags = Object.fromEntries(
    [...(health?.[1] ?? '').matchAll(/--(\S+)=(\d+)/g)].map(([, name = '', n]) => [
      name,
      Number(n),
    ]),
  )
  const labels = only('LABEL').matchAll(/(\S+?)="([^"]*)"/g)
  const labelled = runConfigOf({ created: '$CREATED', revision: '$REVISION', source: '$SOURCE' })
  const { Healthcheck: expected } = labelled
  expect({
    User: only('USER'),
    ExposedPorts: { [only('EXPOSE')]: {} },
    Env: only('ENV').replaceAll('"', '').split(' '),
    Entrypoint: JSON.parse(only('ENTRYPOINT')),
    Cmd: JSON.parse(only('CMD')),
    Volumes: Object.fromEntries(JSON.parse(only('VOLUME')).map((path: string) => [path, {}])),
    WorkingDir: only('WORKDIR'),
    Labels: Object.fromEntries([...labels].map(([, name, value]) => [name, value])),
    StopSignal: only('STOPSIGNAL'),
    Healthcheck: {
      Test: ['CMD', ...JSON.parse(health?.[2] ?? '[]')],
      Interval: (flags['interval'] ?? 0) * 1e9,
      Timeout: (flags['timeout'] ?? 0) * 1e9,
      StartPeriod: (flags['start-period'] ?? 0) * 1e9,
      Retries: flags['retries'],
    },
  }).toEqual({ ...labelled, Healthcheck: expected } as object as never)
})

test.skipIf(process.platform !== 'linux')(
  'it copies the files of the layers, with their owners',
  async () => {
    const contents = await contentsWith(`${root}/dist/comet`)
    await using folder = await makeFolder()
    await Bun.$`${process.execPath} ${root}/scripts/image.ts --folder ${folder.path}`.quiet()
    const copies = final.filter(({ name }) => name === 'COPY').map(({ words }) => words)
    expect(copies).toEqual(
      LAYERS.map((layer) => {
        const owners = new Set(contents.layers[layer].map(({ owner = 0 }) => owner))
        const [owner] = owners
        expect(owners.size).toBe(1)
        return `--from=build --chown=${owner}:${owner} /image/${layer}/ /`
      }),
    )
    for (const layer of LAYERS) {
      const found = await Bun.$`cd ${folder.path}/${layer} && find . -mindepth 1`.text()
      const paths = contents.layers[layer].map(({ path }) => `./${path}`)
      expect(found.trim().split('\n').sort()).toEqual(paths.sort())
      for (const { path, mode, bytes } of contents.layers[layer]) {
        const stat = await lstat(`${folder.path}/${layer}/${path}`)
        expect([path, stat.mode & 0o7777]).toEqual([path, mode])
        if (bytes !== undefined) expect(stat.size).toBe(bytes.length)
      }
    }
  },
)

test('.dockerignore has every line of .gitignore', async () => {
  const linesOf = async (name: string) =>
    (await readFile(`${root}/${name}`, 'utf8')).split('\n').filter((line) => /^[^#]/.test(line))
  expect(await linesOf('.dockerignore')).toEqual(await linesOf('.gitignore'))
})
