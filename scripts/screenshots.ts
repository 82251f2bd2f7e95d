// Takes the pictures of the pages: the dashboard of a server with streams and messages, /try, and
// the report of a run.
//
//   bun scripts/screenshots.ts                writes bench/results/screenshots/
//   bun scripts/screenshots.ts --all FOLDER   every screen, empty and with streams, to look at

import { mkdir } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { RESULTS } from '../bench/harness/command.ts'
import { BrowserPage, type Screen } from './support/browser.ts'
import { type CometServer, serve, start } from './support/comet.ts'

const STREAMS = 10_000
const MESSAGES_PER_SECOND = 5_000
/** Seconds of messages before a picture, so that the curves show some. */
const SECONDS = 75

type Scheme = NonNullable<Screen['scheme']>
const SCHEMES: readonly Scheme[] = ['light', 'dark']

const PHONE = { width: 390, height: 844, scale: 2 }
const LAPTOP = { width: 1_440, height: 1_000 }
const DESK = { width: 2_560, height: 1_300 }

interface Shot {
  readonly name: string
  readonly screen: Screen
  /** The whole page, not only what is in view first. */
  readonly isWhole?: boolean
}

/** Those in the repository. */
const KEPT: readonly Shot[] = [
  { name: 'dashboard-light', screen: { ...LAPTOP, scheme: 'light' } },
  { name: 'dashboard-dark', screen: { ...LAPTOP, scheme: 'dark' } },
  { name: 'dashboard-phone', screen: { ...PHONE, scheme: 'light' } },
]

/** To look at after a change. */
const ALL: readonly Shot[] = [PHONE, LAPTOP, DESK].flatMap((screen) =>
  SCHEMES.map((scheme) => ({
    name: `dashboard-${screen.width}-${scheme}`,
    screen: { ...screen, scheme },
    isWhole: true,
  })),
)

async function take(url: string, folder: string, shots: readonly Shot[], ready: string) {
  for (const { name, screen, isWhole = false } of shots) {
    await using page = await BrowserPage.open()
    await page.show(screen)
    await page.goTo(url)
    await page.until(ready)
    await page.picture(`${folder}/${name}.png`, isWhole)
    console.error(`wrote ${folder}/${name}.png`)
  }
}

const DASHBOARD_READY = `document.querySelectorAll('#charts canvas').length === 6 &&
  document.querySelectorAll('#log-lines li').length > 0 &&
  document.querySelector('.tile b').textContent !== '–'`

/** Holds streams and sends messages until the scope ends. */
async function withTraffic(server: CometServer): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const url = `${server.publicUrl}/test/{id}`
  const duration = `${SECONDS + 120}s`
  const streams = ['--connections', String(STREAMS), '--rate', '1k', '--duration', duration]
  stack.use(start(['flood', url, ...streams]))
  await server.open(STREAMS, 60_000)
  const rate = ['--rate', String(MESSAGES_PER_SECOND), '--users', String(STREAMS)]
  stack.use(start(['gen', server.controlUrl, ...rate, '--duration', duration]))
  await Bun.sleep(SECONDS * 1_000)
  return stack.move()
}

/** A stream of /try, with a few messages, an absence and what was missed. */
async function takeTry(server: CometServer, folder: string): Promise<void> {
  await using page = await BrowserPage.open()
  await page.show({ ...LAPTOP, scheme: 'light' })
  await page.goTo(`${server.controlUrl}/try`)
  const click = (id: string) => page.ask(`document.getElementById('${id}').click()`)
  const shows = (text: string) =>
    page.until(`document.getElementById('rows').textContent.includes('${text}')`)
  await click('open')
  await page.until(`document.getElementById('state').textContent.startsWith('open')`)
  await server.publish({ to: 'alice', body: 'hello' })
  await shows('hello')
  await click('away')
  await server.publish({ to: 'alice', event: 'reminder', body: 'sent while alice was away' })
  await click('away')
  await shows('away')
  await server.publish({ to: '*', body: 'for everyone' })
  await shows('for everyone')
  await page.picture(`${folder}/try.png`)
  console.error(`wrote ${folder}/try.png`)
}

/** The run of a million streams, from the page that is kept of it. */
async function takeReport(folder: string): Promise<void> {
  const ready = `document.querySelectorAll('canvas').length > 0`
  const shot = { name: 'report', screen: { ...LAPTOP, scheme: 'light' } } as const
  await take(`file://${RESULTS}/million-1m.html`, folder, [shot], ready)
}

const { values } = parseArgs({ options: { all: { type: 'string' } } })
const folder = values.all ?? `${RESULTS}/screenshots`
await mkdir(folder, { recursive: true })
await using server = await serve(['--workers', '2'])
if (values.all !== undefined) {
  await mkdir(`${folder}/empty`, { recursive: true })
  await take(server.controlUrl, `${folder}/empty`, ALL, DASHBOARD_READY)
}
await takeReport(folder)
await takeTry(server, folder)
await using _traffic = await withTraffic(server)
await take(server.controlUrl, folder, values.all === undefined ? KEPT : ALL, DASHBOARD_READY)
