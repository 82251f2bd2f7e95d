// The first hour of a new user, timed: with a fresh clone, empty caches and only README and
// manual they build, open a stream with a token from a page of another origin, send messages, kill
// the server, and resume. Exits 1 if anything is not as the documents say.
//
//   bun scripts/first-hour.ts              packages and Bun come from the registry
//   bun scripts/first-hour.ts --offline    they are those that are installed here

import { cp, mkdir } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { formatMs, formatQuantity } from '../src/core/units.ts'
import { BrowserPage } from './support/browser.ts'
import { type ChildProcess, succeed, waitFor } from './support/child-process.ts'
import { ask } from './support/comet.ts'
import { makeFolder } from './support/folder.ts'
import { NewUser } from './support/new-user.ts'

const root = `${import.meta.dir}/..`

/** Milliseconds to fetch the packages and build, by a slow connection on a busy machine. */
const BUILD_MS_MAX = 480_000
/** Milliseconds for a server to listen, and for the page to open its stream. */
const READY_MS_MAX = 30_000
/** Milliseconds that the servers may run. */
const SERVE_MS_MAX = 600_000
/** Milliseconds for the registry to answer; without an answer it is out of reach. */
const REGISTRY_MS_MAX = 20_000

const README = 'README.md'
/** How README names Bun for those who have Node alone. */
const BUN_BY_NPX = /^npx -y (bun@\S+)/

/** The page of the manual that README leads to, and the name of its blocks. */
const BROWSER = 'src/manual/browser.md'
const BLOCK = 'other-origin'

/** The text that the manual publishes. */
const DOCUMENTED_TEXT = 'Hello, room'

const BEFORE = [DOCUMENTED_TEXT, 'Is anybody there?']
const MEANWHILE = ['You were away', 'This was said meanwhile', 'And this']
const AFTER = ['Welcome back', 'Goodbye']

/** Does the work of a step, and returns how long it took. */
type Steps = <T>(name: string, work: () => Promise<T>) => Promise<T>

/** Does the registry have what README has npx fetch? */
async function isReachable(user: NewUser): Promise<boolean> {
  if (Bun.which('npx') === null) return false
  const [, name = ''] = BUN_BY_NPX.exec(await user.command(README, 'build', 'npx ')) ?? []
  const options = { timeoutMs: REGISTRY_MS_MAX }
  await using asking = user.type(`npm view ${name} version --fetch-retries=0`, options)
  return await asking.finished.then(
    ({ exitCode }) => exitCode === 0,
    // It took too long.
    () => false,
  )
}

/** Builds as README says; `isOffline` by what is installed here. */
async function build(user: NewUser, isOffline: boolean): Promise<void> {
  const line = await user.command(README, 'build', 'npx ')
  if (isOffline) {
    await cp(`${root}/node_modules`, `${user.clone}/node_modules`, { recursive: true })
  }
  const command = isOffline ? line.replace(BUN_BY_NPX, 'bun') : line
  await user.run(command, { inClone: true, timeoutMs: BUILD_MS_MAX })
  user.firstCommand = await user.command(README, 'build', 'export PATH')
}

/** Saves the page, and makes the key and the token. */
async function prepare(user: NewUser): Promise<void> {
  await mkdir(`${user.folder}/site`)
  await Bun.write(`${user.folder}/site/index.html`, await user.page(BROWSER, BLOCK))
  await user.run(await user.command(BROWSER, BLOCK, '(umask'))
  await user.run(await user.command(BROWSER, BLOCK, 'comet token'))
}

/** Starts comet, and waits until it listens. */
async function startServer(user: NewUser): Promise<ChildProcess> {
  const command = await user.command(BROWSER, BLOCK, 'comet serve')
  const server = user.type(command, { timeoutMs: SERVE_MS_MAX })
  await server.logged('"event":"listening"', READY_MS_MAX)
  return server
}

/** Starts the web server of the page, which is of another origin, and waits until it answers. */
async function startSite(user: NewUser): Promise<ChildProcess> {
  const command = await user.command(BROWSER, BLOCK, 'python3')
  const site = user.type(command, { timeoutMs: SERVE_MS_MAX })
  const look = () =>
    fetch(user.url('site')).then(
      (response) => response.ok,
      // It does not listen yet.
      () => false,
    )
  await waitFor('the site to answer', look, READY_MS_MAX, { needs: [site] })
  return site
}

/** Publishes as the manual does, and checks how many connections took each message. */
async function publish(user: NewUser, texts: readonly string[], count: 0 | 1): Promise<void> {
  const command = await user.command(BROWSER, BLOCK, 'comet publish')
  if (!command.includes(DOCUMENTED_TEXT)) throw new Error(`${command} has another text`)
  for (const text of texts) {
    const printed = await user.run(command.replace(DOCUMENTED_TEXT, text))
    if (printed !== `${count} delivered\n`) throw new Error(`'${text}' printed ${printed}`)
  }
}

/** Waits until the page has its stream open. */
async function isOpen(user: NewUser, page: BrowserPage): Promise<void> {
  const look = async () => {
    const response = await ask(user.url('control'), '/stats')
    return ((await response.json()) as { streams: { open: number } }).streams.open === 1
  }
  await waitFor('the stream of the page', look, READY_MS_MAX).catch((error) => {
    throw new Error(`${error}\n${page.complaints.join('\n')}`)
  })
}

/** Waits for the last of these messages; the page must show exactly these, in this order. */
async function shows(page: BrowserPage, texts: readonly string[]): Promise<void> {
  const list = `[...document.querySelectorAll('#list li')].map((item) => item.textContent)`
  const isThere = page.until(`${list}.includes(${JSON.stringify(texts.at(-1))})`)
  const late = await isThere.then(
    () => '',
    (error) => `${error}\n`,
  )
  const shown = JSON.stringify(await page.ask<string[]>(list))
  if (shown === JSON.stringify(texts)) return
  const complaints = page.complaints.join('\n')
  throw new Error(`${late}it shows ${shown}, not ${JSON.stringify(texts)}\n${complaints}`)
}

/** All that follows the build. */
async function tryIt(user: NewUser, step: Steps): Promise<void> {
  await using stack = new AsyncDisposableStack()
  await step('save the page, make a key and a token', () => prepare(user))
  const server = await step('start comet and the site', async () => {
    const started = stack.use(await startServer(user))
    stack.use(await startSite(user))
    return started
  })
  const page = await step('open the page in Chromium', async () => {
    const opened = stack.use(await BrowserPage.open())
    await opened.goTo(`${user.url('site')}/`)
    await isOpen(user, opened)
    return opened
  })
  await step('publish, and see it on the page', async () => {
    await publish(user, BEFORE, 1)
    await shows(page, BEFORE)
  })
  await step('kill comet, and start it again', async () => {
    // So that the page cannot be back before the next messages.
    await page.setOffline(true)
    server.kill('SIGKILL')
    await server.exited
    stack.use(await startServer(user))
  })
  await step('publish while the page is away', () => publish(user, MEANWHILE, 0))
  await step('see what was missed', async () => {
    await page.setOffline(false)
    await shows(page, [...BEFORE, ...MEANWHILE])
  })
  await step('publish, and see that it goes on', async () => {
    await publish(user, AFTER, 1)
    await shows(page, [...BEFORE, ...MEANWHILE, ...AFTER])
  })
}

/** Rows of what took how long, and their sum. */
function tableOf(times: readonly (readonly [name: string, ms: number])[]): string {
  const rows = [...times, ['all', times.reduce((sum, [, ms]) => sum + ms, 0)] as const]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, ms]) => `${name.padEnd(width)}  ${formatMs(ms).padStart(8)}`).join('\n')
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { offline: { type: 'boolean', default: false } } })
  await using folder = await makeFolder()
  const times: [string, number][] = []
  let current = ''
  const step: Steps = async (name, work) => {
    current = name
    const startedMs = performance.now()
    const result = await work()
    times.push([name, performance.now() - startedMs])
    return result
  }
  try {
    const user = await step('clone', () => NewUser.start(folder.path))
    const isOffline = values.offline || !(await isReachable(user))
    const commit = await succeed(['git', '-C', user.clone, 'log', '-1', '--format=%h'])
    const origin = isOffline ? 'those installed here' : 'from the registry, into empty caches'
    console.log(`Commit ${commit.stdout.trim()}. Bun and packages: ${origin}.\n`)
    await step('fetch the packages and build', () => build(user, isOffline))
    await tryIt(user, step)
    console.log(tableOf(times))
    const messages = formatQuantity(BEFORE.length + MEANWHILE.length + AFTER.length, 'message')
    console.log(`\nThe page shows ${messages}, each once and in order.`)
    return 0
  } catch (error) {
    console.error(`${current}: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  }
}

process.exit(await main())
