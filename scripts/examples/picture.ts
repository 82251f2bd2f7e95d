// Draws the picture of the chat room: four people in the real room, on a desktop and on a phone.
//
//   bun scripts/examples/picture.ts        writes scripts/examples/chat/screenshot.png

import { type Browser, launch, type Page } from 'puppeteer-core'
import { Example } from '../support/example.ts'

const FILE = `${import.meta.dir}/chat/screenshot.png`

const TALK = [
  ['Ben', 'Morning! Is the release out?'],
  ['Anna', 'Since eight. I restarted the server twice to see what the room does.'],
  ['Chris', 'I did not notice anything.'],
  ['Anna', 'That is the point.'],
  ['Anna', 'Each page went on behind the last message it had.'],
  ['Ben', 'And what I wrote meanwhile?'],
  ['Anna', 'It waited, and was said once, however often it was sent.'],
  ['Dora', '<b>What about HTML?</b>'],
  ['Chris', 'Text, as you can see.'],
] as const

const HEIGHT_PX = 640
const SCREENS = [
  { width: 1_000, scheme: 'light' },
  { width: 390, scheme: 'dark' },
] as const

/** A page in a profile of its own, so that it is another person. */
async function join(browser: Browser, url: string, name: string): Promise<Page> {
  const page = await (await browser.createBrowserContext()).newPage()
  await page.goto(url)
  await page.waitForSelector('#join:not([hidden])')
  await page.type('#name', name)
  await page.click('#join button')
  await page.waitForSelector('#state.open')
  return page
}

/** The room as it is after a reload, as a data URL. */
async function picture(page: Page, { width, scheme }: (typeof SCREENS)[number]): Promise<string> {
  await page.setViewport({
    ...{ width, height: HEIGHT_PX, deviceScaleFactor: 1.5 },
    isMobile: width < 600,
  })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.reload()
  await page.waitForSelector(`.said:nth-child(${TALK.length})`)
  await page.waitForSelector('#list li:nth-child(4)')
  return `data:image/png;base64,${await page.screenshot({ encoding: 'base64' })}`
}

await using chat = await Example.start('chat')
const executablePath = Bun.which('chromium') ?? Bun.which('chromium-browser') ?? 'chromium'
const browser = await launch({ executablePath, args: ['--no-sandbox'] })
try {
  const people = new Map<string, Page>()
  for (const name of ['Anna', 'Ben', 'Chris', 'Dora']) {
    people.set(name, await join(browser, chat.url, name))
  }
  for (const [at, [name, text]] of TALK.entries()) {
    const page = people.get(name)
    await page?.type('#text', text)
    await page?.keyboard.press('Enter')
    await page?.waitForSelector(`.said:nth-child(${at + 1})`)
  }
  const anna = people.get('Anna')
  if (anna === undefined) throw new Error('Anna is not there')
  const images: string[] = []
  for (const screen of SCREENS) images.push(await picture(anna, screen))
  const both = await browser.newPage()
  await both.setViewport({ width: 1_600, height: 800, deviceScaleFactor: 1 })
  const style = `height: ${HEIGHT_PX}px; border: 1px solid #8b949e; border-radius: 8px`
  const shown = images.map((url) => `<img alt="" style="${style}" src="${url}">`).join('')
  await both.setContent(
    `<div id="both" style="display: inline-flex; gap: 16px; padding: 1px">${shown}</div>`,
  )
  await (await both.waitForSelector('#both'))?.screenshot({ path: FILE, omitBackground: true })
} finally {
  await browser.close()
}
