// Debian's Chromium with one page, for the end-to-end tests of pages: what the page shows, and what
// it reported as an error or requested from the network.

import { test } from 'bun:test'
import { type Browser, launch, type Page } from 'puppeteer-core'
import { withTimeout } from '../../src/core/deadline.ts'
import { waitFor } from './child-process.ts'

/** Milliseconds for Chromium to close on a busy machine. */
const CLOSE_MS_MAX = 20_000

const CHROMIUM = Bun.which('chromium') ?? Bun.which('chromium-browser')

/** A test that is skipped on a machine without a browser, as one that only builds may be. */
export const withChromium = test.skipIf(CHROMIUM === null)

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
  readonly #browser: Browser
  readonly #page: Page

  /** An empty page. */
  static async open(flags: readonly string[] = []): Promise<BrowserPage> {
    const browser = await launch({
      executablePath: String(CHROMIUM),
      args: ['--no-sandbox', '--disable-quic', ...flags],
    })
    try {
      const [page = await browser.newPage()] = await browser.pages()
      return new BrowserPage(browser, page)
    } catch (error) {
      await browser.close()
      throw error
    }
  }

  private constructor(browser: Browser, page: Page) {
    this.#browser = browser
    this.#page = page
    page.on('request', (request) => this.requests.push(request.url()))
    page.on('console', (message) => this.complaints.push(message.text()))
    page.on('pageerror', (error) => this.complaints.push(String(error)))
  }

  async goTo(url: string): Promise<void> {
    await this.#page.goto(url)
  }

  /** The value of an expression in the page, which is awaited there. */
  async ask<T>(expression: string): Promise<T> {
    return (await this.#page.evaluate(expression)) as T
  }

  /**
   * Waits until an expression is true, across a change of the page. Puppeteer's own way needs
   * `eval`, which our pages forbid.
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

  /** Sets a cookie of a server as that server could. */
  async setCookie(url: string, name: string, value: string): Promise<void> {
    await this.#page.setCookie({ name, value, url, path: '/', secure: true, httpOnly: true })
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

  async [Symbol.asyncDispose](): Promise<void> {
    await withTimeout('the browser to close', this.#browser.close(), CLOSE_MS_MAX)
  }
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
