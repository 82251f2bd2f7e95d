// Goal: all that names the version names that of package.json, and the changelog has what is in it.
// Method: read the files.

import { expect, test } from 'bun:test'
import packageJson from '../../package.json'
import { debName } from './deb.ts'

const root = `${import.meta.dir}/../..`
const { version } = packageJson

/** Files that name the version of an image. */
const NAMING = [
  'src/manual/container.md',
  'scripts/operate/compose/compose.yaml',
  'scripts/operate/compose/one.yaml',
] as const

test.each(NAMING)('%s names the image of this version', async (name) => {
  const text = await Bun.file(`${root}/${name}`).text()
  const named = [...text.matchAll(/localhost\/comet:([\w.]+)/g)].map(([, tag]) => tag)
  expect([...new Set(named)]).toEqual([version])
})

test('the manual installs the Debian package of this version', async () => {
  const text = await Bun.file(`${root}/src/manual/service.md`).text()
  expect(text).toContain(`apt install ./${debName('x64')}`)
})

const changelog = await Bun.file(`${root}/CHANGELOG.md`).text()
const headings = [...changelog.matchAll(/^## (.*)$/gm)].map(([, text = '']) => text)

test('the changelog begins with what is not released and goes on with this version', () => {
  const [unreleased, newest, ...older] = headings
  expect(unreleased).toBe('[Unreleased]')
  expect(newest).toMatch(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/)
  expect(newest).toStartWith(`[${version}] - `)
  for (const heading of older) expect(heading).toMatch(/^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/)
})

test('versions of the changelog come the newest first, as do their dates', () => {
  const released = headings.slice(1)
  const numbers = released.map((text) => /\[(.*)\]/.exec(text)?.[1] ?? '')
  expect(numbers).toEqual(numbers.toSorted((one, other) => Bun.semver.order(other, one)))
  const dates = released.map((text) => text.slice(-10))
  expect(dates).toEqual(dates.toSorted().reverse())
})

test('the changelog has only the kinds of changes that Keep a Changelog has', () => {
  const kinds = [...changelog.matchAll(/^### (.*)$/gm)].map(([, kind]) => String(kind))
  const known = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security']
  for (const kind of kinds) expect(known).toContain(kind)
})

test('the policy of security has a row for the minor version', async () => {
  const policy = await Bun.file(`${root}/SECURITY.md`).text()
  const minor = version.split('.').slice(0, 2).join('.')
  expect(policy).toContain(`| ${minor} | yes |`)
})
