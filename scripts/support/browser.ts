// Debian's browsers with one page, for the end-to-end tests of pages: what the page shows, and what
// it reported as an error or requested from the network.

import { test } from 'bun:test'
import { type Browser, type LaunchOptions, launch, type Page } from 'puppeteer-core'
import { withTimeout } from '../../src/core/deadline.ts'
import { waitFor } from './child-process.ts'
import { makeFolder } from './folder.ts'

/** Milliseconds for a browser to close on a busy machine. */
const CLOSE_MS_MAX = 20_000

/** Of axe-core, which has one function. */
const AXE = `${import.meta.dir}/../../node_modules/axe-core/axe.min.js`

const EXECUTABLES = {
  chromium: Bun.which('chromium') ?? Bun.which('chromium-browser'),
  firefox: Bun.which('firefox-esr') ?? Bun.which('firefox'),
} as const

export type BrowserName = keyof typeof EXECUTABLES

/** For tests of what browsers do differently; the others need only one. */
export const BROWSERS: readonly BrowserName[] = ['chromium', 'firefox']

/** Chrome's own: Debian has Chromium block cookies of other sites. */
const CHROMIUM_PREFERENCES = { profile: { cookie_controls_mode: 0 } }

const FIREFOX_PREFERENCES = {
  // Firefox's own, which Puppeteer turns off: cookies of another site are kept for each site whose
  // pages include it ("Total Cookie Protection").
  'network.cookie.cookieBehavior': 5,
  // A local name is ::1 as well, where no test listens.
  'network.dns.disableIPv6': true,
}

/** A test that is skipped on a machine without that browser, as one that only builds may be. */
export function withBrowser(name: BrowserName) {
  return test.skipIf(EXECUTABLES[name] === null)
}

export const withChromium = withBrowser('chromium')

export interface BrowserOptions {
  /** Chromium by default. */
  readonly browser?: BrowserName
  /** Names of hosts that are on this machine, at 127.0.0.1. */
  readonly localNames?: readonly string[]
  /** Accept certificates that are not trusted. */
  readonly acceptsAnyCertificate?: boolean
  /** Of the command line. */
  readonly flags?: readonly string[]
}

/** The size of the page, and the preference of its reader. */
export interface Screen {
  readonly width: number
  readonly height: number
  readonly scale?: number
  readonly scheme?: 'light' | 'dark'
}

/** A page in a browser of its own, which is closed with the scope. */
export class BrowserPage implements AsyncDisposable {
  /** Errors of scripts, and all that the console shows. */
  readonly complaints: string[] = []
  /** Every address that was requested. */
  readonly requests: string[] = []
  /** Closes the browser, then removes its profile. */
  readonly #cleanup: AsyncDisposableStack
  readonly #page: Page

  /** An empty page. */
  static async open(options: BrowserOptions = {}): Promise<BrowserPage> {
    await using cleanup = new AsyncDisposableStack()
    const folder = cleanup.use(await makeFolder())
    const browser = await startBrowser(options, folder.path)
    cleanup.defer(() => withTimeout('the browser to close', browser.close(), CLOSE_MS_MAX))
    const [page = await browser.newPage()] = await browser.pages()
    return new BrowserPage(page, cleanup.move())
  }

  private constructor(page: Page, cleanup: AsyncDisposableStack) {
    this.#cleanup = cleanup
    this.#page = page
    page.on('request', (request) => this.requests.push(request.url()))
    page.on('console', (message) => this.complaints.push(message.text()))
    page.on('pageerror', (error) => this.complaints.push(String(error)))
  }

  /** Another page of the same browser, in which it is a tab; it is closed with the scope. */
  async tab(): Promise<BrowserPage> {
    await using cleanup = new AsyncDisposableStack()
    const page = await this.#page.browser().newPage()
    cleanup.defer(() => (page.isClosed() ? undefined : page.close()))
    return new BrowserPage(page, cleanup.move())
  }

  /** Shows this page, and hides the others. */
  async toFront(): Promise<void> {
    await this.#page.bringToFront()
  }

  /** Ends the process of the page, in Chromium, as the system does when memory is short. */
  crash(): void {
    // Never answered.
    this.#page.goto('chrome://crash').catch(() => undefined)
  }

  /** Takes the network from the page, or gives it back. */
  async setOffline(isOffline: boolean): Promise<void> {
    await this.#page.setOfflineMode(isOffline)
  }

  async goTo(url: string): Promise<void> {
    await this.#page.goto(url)
  }

  /** The value of an expression in the page, which is awaited there. */
  async ask<T>(expression: string): Promise<T> {
    return (await this.#page.evaluate(expression)) as T
  }

  /**
   * Waits until an expression is true; in Chromium across a change of the page, too, while Firefox
   * may never answer what was asked then. Puppeteer's own way needs `eval`, which our pages forbid.
   */
  async until(expression: string): Promise<void> {
    await waitFor(`the page: ${expression}`, () => this.#isTrue(expression))
  }

  async #isTrue(expression: string): Promise<boolean> {
    try {
      return await this.ask<boolean>(`Boolean(${expression})`)
    } catch (error) {
      // The page that was asked is gone, and the next one is on its way.
      if (error instanceof Error && /context was destroyed/.test(error.message)) return false
      throw error
    }
  }

  /** The text of an element, by its id. */
  text(id: string): Promise<string> {
    return this.ask(`document.getElementById('${id}').textContent`)
  }

  /** Types into the element that has the focus. */
  async type(text: string): Promise<void> {
    await this.#page.keyboard.sendCharacter(text)
  }

  async press(key: 'Tab' | 'Enter' | 'Space'): Promise<void> {
    await this.#page.keyboard.press(key)
  }

  /** A change to or from a mobile size reloads the page. */
  async show({ width, height, scale = 1, scheme = 'light' }: Screen): Promise<void> {
    const isMobile = width < 600
    await this.#page.setViewport({ width, height, deviceScaleFactor: scale, isMobile })
    await this.#page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  }

  /** Writes a picture of what is in view as PNG, or of the whole page. */
  async picture(path: `${string}.png`, isWhole = false): Promise<void> {
    await this.#page.screenshot({ path, fullPage: isWhole })
  }

  /**
   * What axe finds wrong for people who use the page otherwise than most, as lines of text. Its
   * script is run by the browser itself, which no policy of the page forbids.
   */
  async barriers(): Promise<string[]> {
    await this.#page.evaluate(await Bun.file(AXE).text())
    return await this.ask(`axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(': '))))`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync()
  }
}

/** Starts a browser with an empty folder for its profile. */
async function startBrowser(options: BrowserOptions, profile: string): Promise<Browser> {
  const { browser = 'chromium', localNames = [], acceptsAnyCertificate, flags = [] } = options
  const common: LaunchOptions = {
    executablePath: String(EXECUTABLES[browser]),
    acceptInsecureCerts: acceptsAnyCertificate === true,
    userDataDir: profile,
  }
  if (browser === 'firefox') {
    return await launch({
      ...common,
      browser,
      args: [...flags],
      extraPrefsFirefox: { ...FIREFOX_PREFERENCES, 'network.dns.localDomains': localNames.join() },
      // As root, it does not start if the home folder is another user's.
      env: { ...process.env, HOME: profile },
    })
  }
  await Bun.write(`${profile}/Default/Preferences`, JSON.stringify(CHROMIUM_PREFERENCES))
  const rules = localNames.map((name) => `MAP ${name} 127.0.0.1`).join()
  const names = rules === '' ? [] : [`--host-resolver-rules=${rules}`]
  return await launch({ ...common, args: ['--no-sandbox', '--disable-quic', ...names, ...flags] })
}

/** A page that shows figures of the server at that address. */
export async function opened(url: string, screen: Screen): Promise<BrowserPage> {
  const page = await BrowserPage.open()
  await page.show(screen)
  await page.goTo(`${url}/`)
  return page
}

/** The numbers of the card with that title. */
export function cardOf(page: BrowserPage, title: string): Promise<string> {
  return page.ask(
    `[...document.querySelectorAll('.card')].find((card) =>
      card.querySelector('dt').textContent === '${title}')?.querySelector('b').textContent ?? ''`,
  )
}
