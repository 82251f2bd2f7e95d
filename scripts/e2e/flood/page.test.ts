// Goal: `comet flood --html` writes a page that a browser can read without a network, charts and
// all. Method: the executable floods itself; Chromium opens the file and tells what became of it.

import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { freePort, run, serve, start } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'

const folder = folderOfTests()

/** The document once its scripts have run, and what the browser reported as errors. */
async function opened(path: string): Promise<{ document: string; complaints: string[] }> {
  await using page = await BrowserPage.open({ flags: ['--host-resolver-rules=MAP * ~NOTFOUND'] })
  await page.show({ width: 1_000, height: 800 })
  await page.goTo(`file://${path}`)
  const document = await page.ask<string>('document.documentElement.outerHTML')
  expect(page.requests).toEqual([`file://${path}`])
  expect(await page.barriers()).toEqual([])
  return { document, complaints: page.complaints }
}

/** The sizes of what is drawn on. */
function canvasesOf(document: string): number[][] {
  return [...document.matchAll(/<canvas width="(\d+)" height="(\d+)"/g)].map(([, ...size]) =>
    size.map(Number),
  )
}

/** Floods with messages until the first sample that has some, and ends; answers the page's path. */
async function floodedPage(): Promise<string> {
  const path = `${folder}/page.html`
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  const options = ['--connections', '100', '--duration', '3s', '--html', path, '--json']
  await using flooding = start(['flood', url, ...options])
  await server.open(100)
  const gen = ['--rate', '2k', '--users', '100', '--duration', '1s']
  expect((await run(['gen', server.controlUrl, ...gen])).exitCode).toBe(0)
  const { exitCode, stdout } = await flooding.finished
  expect(exitCode).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ received: { messages: 2_000 } })
  return path
}

describe('the page', () => {
  withChromium('has its charts drawn in a browser without a network', async () => {
    const path = await floodedPage()
    const { document, complaints } = await opened(path)
    expect(complaints).toEqual([])
    const canvases = canvasesOf(document)
    expect(canvases).toHaveLength(4)
    for (const [width = 0, height = 0] of canvases) {
      expect(width).toBeGreaterThan(600)
      expect(height).toBeGreaterThan(200)
    }
    const curves = [...document.matchAll(/<div class="u-label">([^<]+)/g)].map(([, name]) => name)
    expect(curves).toEqual([
      ...['time', 'open', 'failed', 'closed'],
      ...['time', 'messages per second', 'bytes per second'],
      ...['time', 'p50', 'p99', 'p99.9', 'slowest'],
      ...['percentile', 'latency'],
    ])
    expect(document).toContain('2,000</td>')
    expect(document).toMatch(/<pre>comet flood 'http:.*--html/)
  })

  withChromium('of a flood that got nowhere can be read, too', async () => {
    const path = `${folder}/nowhere.html`
    const url = `http://127.0.0.1:${freePort()}/a<b>&"{id}`
    const { exitCode } = await run(['flood', url, '--connections', '5', '--html', path])
    expect(exitCode).toBe(1)
    const { document, complaints } = await opened(path)
    expect(complaints).toEqual([])
    expect(canvasesOf(document)).toHaveLength(4)
    expect(document).toContain('<td>refused</td>')
    expect(document).toContain('/a&lt;b&gt;&amp;"{id}')
  })
})

describe('a page that cannot be written', () => {
  test('is an error before the run begins', async () => {
    await using server = await serve()
    const path = `${folder}/none/page.html`
    const url = `${server.publicUrl}/test/{id}`
    const { exitCode, stdout, stderr } = await run(['flood', url, '--html', path])
    expect([exitCode, stdout]).toEqual([69, ''])
    expect(stderr).toBe(
      `comet flood: --html ${path} cannot be written (ENOENT); create its folder first\n`,
    )
    expect((await server.stats()).streams.opened).toBe(0)
  })

  test('because its folder went meanwhile, is told after the summary', async () => {
    await using server = await serve()
    const gone = `${folder}/gone`
    mkdirSync(gone)
    await using flooding = start([
      ...['flood', `${server.publicUrl}/test/{id}`, '--connections', '5'],
      ...['--html', `${gone}/page.html`],
    ])
    await server.open(5)
    expect(existsSync(`${gone}/page.html`)).toBe(false)
    rmSync(gone, { recursive: true })
    await Bun.write(gone, 'a file in its place')
    flooding.kill('SIGINT')
    const { exitCode, stdout, stderr } = await flooding.finished
    expect(exitCode).toBe(1)
    expect(stdout).toContain('5 opened of 5 wanted')
    expect(stderr).toContain(`comet: ${gone}/page.html could not be written (`)
  })
})
