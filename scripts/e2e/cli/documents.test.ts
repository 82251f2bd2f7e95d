// Goal: README and manual are short, their links lead somewhere, each of their examples is run by a
// test, and what they name exists: options, metrics, codes, limits, files. Method: the documents
// beside the help of each command, the tables of the code and the texts of the tests.

import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import packageJson from '../../../package.json'
import { FAMILIES } from '../../../src/control/families.ts'
import { ERRORS } from '../../../src/core/errors.ts'
import { feedLimits } from '../../../src/core/feed-limits.ts'
import { historyLimits } from '../../../src/core/history-limits.ts'
import { identityLimits } from '../../../src/core/identity-limits.ts'
import { messageLimits, streamLimits, subscriptionLimits } from '../../../src/core/limits.ts'
import { memoryFor } from '../../../src/doctor/demand.ts'
import { CLOSES, REFUSALS } from '../../../src/hub/refusals.ts'
import { OPTIONS } from '../../../src/server/command.ts'
import { COMET } from '../../support/comet.ts'
import { blocksOf, documentNames, pathOf, readDocument } from '../../support/documented-commands.ts'

const root = `${import.meta.dir}/../../..`

const PAGE_BYTES_MAX = 8 * 1024

/** The languages of examples that a reader runs. */
const RUN = ['sh', 'js', 'html', 'erlang', 'toml', 'yaml', 'nginx', 'haproxy', 'caddy']

/** Blocks of commands that no test runs, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  README: 'demo and check: demo.test.ts runs the one, and the other is what runs this',
  container: 'they need an engine: image.test.ts unpacks the image and serves in it',
  service: 'they change the machine: service.test.ts checks the unit',
  million: 'they take an hour',
}

/** What other tests find without a name: the only block of its language. */
const FOUND_BY_LANGUAGE = ['toml', 'yaml', 'nginx', 'haproxy', 'caddy']

const COMMANDS = [
  ...['serve', 'publish', 'listen', 'flood', 'gen', 'doctor', 'health', ''],
  ...['generate', 'load', 'export', 'stats'].map((name) => `friends ${name}`),
  ...['create', 'check'].map((name) => `token ${name}`),
]

/** Options of other programs that the documents name. */
const OTHERS =
  '--data-binary --unix-socket --read-only --cap-drop --ulimit --name --now --anyway --only ' +
  '--suite --gzip --image --appendonly --maxmemory-policy --bind --directory'

const names = documentNames()
const documents = new Map(
  await Promise.all(names.map(async (name) => [name, await readDocument(name)] as const)),
)
const textOf = (name: string) => String(documents.get(name))

describe.each(names)('%s', (name) => {
  const text = textOf(name)

  test('is short, and begins with its title', () => {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(PAGE_BYTES_MAX)
    expect(text).toMatch(/^# \S.*\n\n/)
  })

  test('has links that lead somewhere', () => {
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to]) => String(to))
    const broken = links.filter((to) => {
      if (/^https?:/.test(to)) return false
      const [file = '', anchor] = to.split('#')
      const path = resolve(root, dirname(pathOf(name)), file)
      if (!existsSync(path)) return true
      if (anchor === undefined) return false
      const headings = [...textOf(basename(file, '.md')).matchAll(/^#+ (.*)$/gm)]
      return !headings.some(([, title = '']) => slugOf(title) === anchor)
    })
    expect(broken).toEqual([])
  })

  test('has examples that a test runs', async () => {
    const tests = await testsOfDocuments()
    const unmarked = blocksOf(text).filter((block) => {
      if (!RUN.includes(block.language)) return false
      if (block.name !== null) return !tests.includes(`'${block.name}'`)
      return !FOUND_BY_LANGUAGE.includes(block.language) && NOT_RUN[name] === undefined
    })
    expect(unmarked.map((block) => block.text)).toEqual([])
  })

  test('has JSON that is JSON', () => {
    for (const block of blocksOf(text).filter(({ language }) => language === 'json')) {
      for (const line of block.text.trim().split('\n')) JSON.parse(line)
    }
  })

  test('names files of the repository, and scripts of the package, that exist', () => {
    const files = [...text.matchAll(/\b(?:scripts|bench|src)\/[\w./-]+\w/g)].map(([path]) => path)
    expect(files.filter((path) => !existsSync(`${root}/${path}`))).toEqual([])
    const scripts = [...text.matchAll(/\bbun(?:@[\d.]+)? run ([\w:]+)/g)].map(([, of]) =>
      String(of),
    )
    expect(scripts.filter((script) => !(script in packageJson.scripts))).toEqual([])
  })

  test('names metrics that exist', () => {
    // Of a group of them, `comet_erlang_…`.
    const named = text.match(/(?<!\$)\bcomet_[a-z_]+[a-z](?!_…)\b/g) ?? []
    expect(named.filter((metric) => !(metric in FAMILIES))).toEqual([])
  })
})

/** As GitHub makes it of a heading. */
function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
}

async function testsOfDocuments(): Promise<string> {
  const tests = ['cli/readme', 'cli/manual', 'cli/manual-tools', 'bus/manual']
  const files = [...tests.map((name) => `e2e/${name}.test.ts`), 'first-hour.ts']
  const texts = files.map((file) => Bun.file(`${root}/scripts/${file}`).text())
  return (await Promise.all(texts)).join('\n')
}

test('the README is what fits two screens', () => {
  expect(Buffer.byteLength(textOf('README'))).toBeGreaterThan(6_000)
})

test('the executable is as large as the README says', () => {
  const [, megabytes = ''] = /more than (\d+) MB/.exec(textOf('README')) ?? []
  expect(Math.floor(Bun.file(COMET).size / 1e8)).toBe(Number(megabytes) / 100)
})

test('the README leads to every page', () => {
  const missing = names.filter((name) => !textOf('README').includes(`(src/manual/${name}.md)`))
  // Those of figures are reached from the page of figures.
  expect(missing).toEqual(['README', 'million'])
})

test('every option that the documents name exists', async () => {
  const help = await Promise.all(
    COMMANDS.map((name) => Bun.$`${COMET} ${name.split(' ').filter(Boolean)} --help`.text()),
  )
  const known = new Set(`${help.join('\n')}\n${OTHERS}`.match(/--[a-z][a-z-]+/g))
  for (const [name, text] of documents) {
    const named = text.match(/(?<![\w-])--[a-z][a-z-]+/g) ?? []
    expect([name, named.filter((option) => !known.has(option))]).toEqual([name, []])
  }
})

test('the page of metrics has every metric', () => {
  const named = new Set(textOf('metrics').match(/\bcomet_[a-z_]+[a-z]/g))
  expect(Object.keys(FAMILIES).filter((name) => !named.has(name))).toEqual([])
})

test('every option that a reload applies is in the table of configuration, and no other', () => {
  const [, table = ''] = textOf('configuration').split('## Reload')
  const named = [...(table.split('\n## ')[0] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, of]) => of)
  const reloadable = Object.entries(OPTIONS).filter(([, option]) => 'reload' in option)
  expect(named.sort() as string[]).toEqual(reloadable.map(([name]) => name).sort())
})

test('codes and reasons are those of the tables', () => {
  const [, errors = ''] = textOf('publishing').split('## Errors')
  const codes = [...errors.matchAll(/`([a-z]+_[a-z_]+|unauthorized|forbidden|draining)`/g)]
  expect(codes.length).toBeGreaterThan(10)
  expect(codes.map(([, code]) => String(code)).filter((code) => !(code in ERRORS))).toEqual([])
  const [, refused = ''] = textOf('tokens').split('## What is refused')
  const reasons = [...refused.matchAll(/`([a-z_]+)`/g)].map(([, reason]) => String(reason))
  expect(reasons.filter((reason) => !(reason in REFUSALS))).toEqual([])
  expect(Object.keys(REFUSALS).filter((reason) => reason.startsWith('token_'))).toEqual(
    expect.arrayContaining(reasons.filter((reason) => reason.startsWith('token_'))),
  )
  const rows = [...textOf('presence').matchAll(/^\| `([a-z]+)` \|/gm)].map(([, of]) => String(of))
  expect(rows.sort()).toEqual([...Object.keys(CLOSES), 'lost'].sort())
})

test.each([
  ['publishing', messageLimits.bodyBytesMax, 'bytes of UTF-8'],
  ['publishing', messageLimits.requestBytesMax, 'bytes of JSON'],
  ['publishing', messageLimits.rejectedListedMax, 'rejected ones'],
  ['limits', messageLimits.requestBytesMax, 'bytes'],
  ['limits', messageLimits.eventLengthMax, 'characters'],
  ['limits', identityLimits.namesMax, ''],
  ['limits', streamLimits.outboxFramesMax, ''],
  ['limits', streamLimits.addressesMax, ''],
  ['limits', feedLimits.readersMax, ''],
  ['streams', messageLimits.userIdMax, ''],
  ['streams', identityLimits.namesMax, 'names'],
  ['resume', historyLimits.messagesMax, 'messages'],
  ['subscriptions', subscriptionLimits.pageSizeMax, 'entries'],
])('a limit on the page %s is that of the code: %d %s', (page, value, unit) => {
  const text = `${value.toLocaleString('en-US')}${unit === '' ? '' : ` ${unit}`}`
  expect(textOf(page).replaceAll(/\s+/g, ' ')).toContain(text)
})

test('the memory of the page of capacity is what the doctor asks for', () => {
  const rows = [...textOf('capacity').matchAll(/^\| ([\d,]+) \| ([\d.]+) GiB \|$/gm)]
  expect(rows).toHaveLength(3)
  for (const [, streams = '', gib = ''] of rows) {
    const connections = Number(streams.replaceAll(',', ''))
    const bytes = memoryFor({ connections, end: 'server', sources: null }, 1_048_576)
    expect([streams, (bytes / 2 ** 30).toPrecision(2)]).toEqual([streams, gib])
  }
})

test('the commands that no test runs are commands of a shell', async () => {
  for (const name of Object.keys(NOT_RUN)) {
    for (const { language, text, name: mark } of blocksOf(textOf(name))) {
      if (language !== 'sh' || mark !== null) continue
      const { exitCode, stderr } = await Bun.$`bash -n -c ${text}`.quiet().nothrow()
      expect([name, exitCode, stderr.toString()]).toEqual([name, 0, ''])
    }
  }
})
