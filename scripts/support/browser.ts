// Drives Debian's Chromium by the DevTools protocol, for the end-to-end tests of pages: opens a page,
// types and clicks, asks for what it shows, and notes whatever it complained of or asked the network for.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { withTimeout } from '../../src/core/deadline.ts'
import { ChildProcess, waitFor } from './child-process.ts'

/** Null on a machine that only builds. */
export const CHROMIUM = Bun.which('chromium') ?? Bun.which('chromium-browser')

/** Milliseconds for the browser to do one thing that it is told. */
const ANSWER_MS_MAX = 30_000

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--hide-scrollbars', '--remote-debugging-port=0'],
]

type Fields = Record<string, unknown>

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  readonly params?: Fields
  readonly result?: Fields
  readonly error?: { readonly message: string }
}

/** How large the page is, and what its reader prefers. */
export interface Screen {
  readonly width: number
  readonly height: number
  readonly scale?: number
  readonly scheme?: 'light' | 'dark'
}

/** A page in a browser of its own, which ends with the scope. */
export class BrowserPage implements AsyncDisposable {
  /** Errors of scripts, of the console and of what could not be loaded. */
  readonly complaints: string[] = []
  /** Every address that was asked for. */
  readonly requests: string[] = []
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, PromiseWithResolvers<Fields>>()
  #sent = 0
  #session: string | null = null

  /** An empty page; nothing is loaded yet. */
  static async open(flags: readonly string[] = []): Promise<BrowserPage> {
    const folder = await mkdtemp(`${tmpdir()}/comet-browser-`)
    const command = [String(CHROMIUM), ...FLAGS, ...flags, `--user-data-dir=${folder}`]
    const child = new ChildProcess(command, { killsDescendants: true })
    const [port, path] = await waitFor('the browser', async () => {
      // Another object each time: it remembers that a file was not there.
      const told = Bun.file(`${folder}/DevToolsActivePort`)
      const lines = (await told.exists()) ? (await told.text()).split('\n') : []
      return lines.length >= 2 && lines
    })
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
    const opened = new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = reject
    })
    await withTimeout("the browser's DevTools to be open", opened, ANSWER_MS_MAX)
    const page = new BrowserPage(child, folder, socket)
    await page.#begin()
    return page
  }

  private constructor(child: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = child
    this.#folder = folder
    this.#socket = socket
    socket.onmessage = ({ data }) => this.#take(JSON.parse(String(data)) as Reply)
  }

  async goTo(url: string): Promise<void> {
    await this.#send('Page.navigate', { url })
    await this.until('document.readyState === "complete"')
  }

  /** The value of an expression in the page, which is awaited there. */
  async ask<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true }
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', options)
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
    return (result as { value: T }).value
  }

  /** Waits until an expression in the page is true. */
  async until(expression: string): Promise<void> {
    await waitFor(`the page: ${expression}`, () => this.ask<boolean>(`Boolean(${expression})`))
  }

  /** What an element reads, by its id. */
  text(id: string): Promise<string> {
    return this.ask(`document.getElementById('${id}').textContent`)
  }

  /** Types as a person does, into what has the focus. */
  async type(text: string): Promise<void> {
    await this.#send('Input.insertText', { text })
  }

  /** Presses a key: `Tab`, `Enter`, `Space`. */
  async press(key: 'Tab' | 'Enter' | 'Space'): Promise<void> {
    const keys = {
      Tab: { key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 },
      Enter: { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' },
      Space: { key: ' ', code: 'Space', windowsVirtualKeyCode: 32, text: ' ' },
    }
    await this.#send('Input.dispatchKeyEvent', { type: 'keyDown', ...keys[key] })
    await this.#send('Input.dispatchKeyEvent', { type: 'keyUp', ...keys[key] })
  }

  async show({ width, height, scale = 1, scheme = 'light' }: Screen): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: scale, mobile: width < 600 }
    await this.#send('Emulation.setDeviceMetricsOverride', metrics)
    const features = [{ name: 'prefers-color-scheme', value: scheme }]
    await this.#send('Emulation.setEmulatedMedia', { features })
  }

  /** A picture of what is seen, or of all of the page, as a PNG. */
  async picture(isWhole = false): Promise<Buffer> {
    const options = { format: 'png', captureBeyondViewport: isWhole }
    const { data } = await this.#send('Page.captureScreenshot', options)
    return Buffer.from(String(data), 'base64')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close()
    await this.#process[Symbol.asyncDispose]()
    // Its own processes end a moment after it and may still write.
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  async #begin(): Promise<void> {
    const { targetId } = await this.#send('Target.createTarget', { url: 'about:blank' })
    const attached = await this.#send('Target.attachToTarget', { targetId, flatten: true })
    this.#session = String(attached['sessionId'])
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.#send(`${domain}.enable`)
  }

  #send(method: string, params: Fields = {}): Promise<Fields> {
    const id = ++this.#sent
    const waiting = Promise.withResolvers<Fields>()
    this.#waiting.set(id, waiting)
    const session = this.#session === null ? {} : { sessionId: this.#session }
    this.#socket.send(JSON.stringify({ id, method, params, ...session }))
    return withTimeout(`the browser's answer to ${method}`, waiting.promise, ANSWER_MS_MAX)
  }

  #take({ id, method, params = {}, result = {}, error }: Reply): void {
    if (id !== undefined) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(result)
      else waiting?.reject(new Error(error.message))
      return
    }
    if (method === 'Network.requestWillBeSent') {
      this.requests.push((params['request'] as { url: string }).url)
    } else if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') {
      this.complaints.push(JSON.stringify(params))
    } else if (method === 'Runtime.consoleAPICalled') {
      this.complaints.push(JSON.stringify(params['args']))
    }
  }
}
