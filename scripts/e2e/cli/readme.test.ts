// Goal: every example of the README that a reader can copy does what it says there. Method: its
// marked blocks, with free ports, run by a shell and shown in Chromium.

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, serve } from '../../support/comet.ts'
import { blockOf, readDocument } from '../../support/documented-commands.ts'
import { commandsOf, DocumentedShell, linesOf } from '../../support/documented-shell.ts'
import { folderOfTests } from '../../support/folder.ts'
import { withoutIds } from '../../support/ids.ts'

const folder = folderOfTests()
let server: CometServer
let shell: DocumentedShell

beforeAll(async () => {
  server = await serve()
  shell = await DocumentedShell.open(folder, server)
})

afterAll(() => server[Symbol.asyncDispose]())

const withCurl = test.skipIf(Bun.which('curl') === null)

withCurl('listening and publishing do what the README says', async () => {
  const commands = await commandsOf('README', 'by-hand')
  expect(commands.map(({ line }) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'comet serve',
    'comet listen',
    'comet publish',
    'curl -N',
    'curl -d',
  ])
  const [, listen = '', publish = '', follow = ''] = commands.map(({ line }) => line)
  const listening = shell.start(listen)
  const following = shell.start(follow)
  await server.open(2)
  expect(await shell.start(publish).exited).toBe(0)
  const last = commands.at(-1)
  const { stdout } = await shell.start(String(last?.line)).finished
  expect(withoutIds(stdout)).toBe(withoutIds(last?.expected))
  await waitFor('the messages', () => listening.stdout === 'Hello\nHello\n')
  await waitFor('the last line', () => following.stdout.split('"body":"Hello"}\n').length === 3)
  following.kill()
  listening.kill()
  await server.open(0)
})

withChromium('its page shows what is published', async () => {
  const [serving = '', publish = ''] = await linesOf('README', 'browser').then((lines) =>
    lines.filter((line) => line.startsWith('comet ')),
  )
  const args = serving.replace('comet serve', '').replaceAll("'", '').trim().split(' ')
  await using open = await serve(args)
  const html = blockOf(await readDocument('README'), 'html', 'browser')
  const page = html.replaceAll('http://127.0.0.1:8000', open.publicUrl)
  await Bun.write(`${folder}/page.html`, page)
  const publisher = await DocumentedShell.open(folder, open)
  await using browser = await BrowserPage.open()
  await browser.goTo(`file://${folder}/page.html`)
  await open.open(1)
  expect(await publisher.start(publish).exited).toBe(0)
  await browser.until(`document.getElementById('list').textContent === 'room:42: Hello, room'`)
  expect(browser.complaints).toEqual([])
})
