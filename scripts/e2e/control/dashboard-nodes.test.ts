// Goal: the dashboard of a server that shares Redis shows who is there and how it is with Redis,
// and warns when Redis is lost; that of another server has nothing of it. Method: the executable, a
// real Redis, and Chromium.

import { describe, expect } from 'bun:test'
import {
  type BrowserPage,
  cardOf,
  opened,
  type Screen,
  withChromium,
} from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { serve } from '../../support/comet.ts'
import { HAS_REDIS, RedisServer } from '../../support/redis.ts'

const PATIENCE_MS = 90_000

const SCREENS: readonly Screen[] = [
  { width: 390, height: 844, scheme: 'light' },
  { width: 390, height: 844, scheme: 'dark' },
  { width: 1_440, height: 900, scheme: 'light' },
  { width: 1_440, height: 900, scheme: 'dark' },
]

async function rowsOf(page: BrowserPage): Promise<string[]> {
  return await page.ask(
    `[...document.querySelectorAll('#nodes-table tbody th')].map((cell) => cell.textContent)`,
  )
}

describe.skipIf(!HAS_REDIS)('the dashboard of a server that shares Redis', () => {
  withChromium(
    'shows all nodes and how long messages take, on every screen',
    async () => {
      await using redis = await RedisServer.start({ isDurable: true })
      await using server = await serve(['--bus', redis.url, '--node-name', 'left'])
      await using _other = await serve(['--bus', redis.url, '--node-name', 'right'])
      const [screen] = SCREENS
      await using page = await opened(server.controlUrl, screen ?? expect.unreachable())
      await page.until(`document.querySelectorAll('#nodes-charts canvas').length === 3`)
      await waitFor('both nodes', async () => (await rowsOf(page)).length === 2)
      // This one first.
      expect(await rowsOf(page)).toEqual(['left (this one)', 'right'])
      expect(await page.text('nodes-link')).toMatch(/^Connected to Redis 7\S* for \d+ s\.$/)
      await waitFor('a round trip', async () => {
        await server.publish({ to: 1, body: 'x' })
        return /s$/.test(await cardOf(page, 'Round trip, p99'))
      })
      expect(await cardOf(page, 'Nodes')).toBe('2')
      expect(await cardOf(page, 'Memory of Redis')).toEndWith('B')
      expect(await page.text('warnings')).toBe('No warnings.')
      for (const each of SCREENS) {
        await page.show(each)
        await page.until(`document.getElementById('nodes-charts')?.clientWidth > 0 &&
          [...document.querySelectorAll('#nodes-charts figure')].every((box) =>
            box.querySelector('.uplot')?.getBoundingClientRect().right <=
              box.getBoundingClientRect().right)`)
        const width = await page.ask('document.documentElement.scrollWidth')
        expect([each.width, width]).toEqual([each.width, each.width])
      }
      expect(page.complaints).toEqual([])
    },
    PATIENCE_MS,
  )

  withChromium(
    'says since when Redis is away and what waits, until it is back',
    async () => {
      await using redis = await RedisServer.start({ isDurable: true })
      await using server = await serve(['--bus', redis.url])
      await using page = await opened(server.controlUrl, { width: 1_440, height: 900 })
      await page.until(`document.getElementById('nodes-link').textContent.startsWith('Connected')`)
      await redis.kill()
      const published = server.publishLater({ to: 1, body: 'x' })
      await page.until(
        `document.getElementById('nodes-link').textContent.startsWith('Disconnected from Redis 7')`,
      )
      await waitFor('what waits', async () => (await cardOf(page, 'Queue')) === '1')
      expect(await cardOf(page, 'Memory of Redis')).toBe('–')
      expect(await page.text('warnings')).toContain('Not connected to Redis for ')
      await redis.startAgain()
      await published
      await page.until(`document.getElementById('warnings').textContent === 'No warnings.'`)
      await page.until(`document.getElementById('nodes-link').textContent.startsWith('Connected')`)
      expect(await cardOf(page, 'Queue')).toBe('0')
    },
    PATIENCE_MS,
  )
})

withChromium(
  'the dashboard of a server of its own has nothing of nodes',
  async () => {
    await using server = await serve()
    await using page = await opened(server.controlUrl, { width: 1_440, height: 900 })
    await page.until(`document.querySelectorAll('#charts canvas').length === 6`)
    const shown = await page.ask(
      `['nodes', 'nodes-anchor'].map((id) => document.getElementById(id).checkVisibility())`,
    )
    expect(shown).toEqual([false, false])
    expect(await page.text('all-table')).not.toContain('Redis')
  },
  PATIENCE_MS,
)
