// Goal: the dashboard gives no false warning, shows no old figure as that of now, and cuts off no
// label. Method: the executable with hardly any load, and Chromium.

import { describe, expect } from 'bun:test'
import { type BrowserPage, cardOf, opened, withChromium } from '../../support/browser.ts'
import { waitFor } from '../../support/child-process.ts'
import { serve } from '../../support/comet.ts'
import { RawClient } from '../../support/raw-client.ts'

const PATIENCE_MS = 90_000

const SCREEN = { width: 1_280, height: 800 }

/** Makes the page draw latencies of window.latencyMs, and record where its labels begin. */
function withLatency(page: BrowserPage): Promise<unknown> {
  return page.ask(`{
    const ask = window.fetch
    window.fetch = async (...what) => {
      const live = await (await ask(...what)).json()
      for (const column of ['deliveryP50Ms', 'deliveryP99Ms']) {
        live.seconds.values[column] = live.seconds.times.map(() => window.latencyMs)
      }
      return Response.json(live)
    }
    const draw = CanvasRenderingContext2D.prototype.fillText
    window.labels = []
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
      const share = { right: 1, end: 1, center: 0.5 }[this.textAlign] ?? 0
      const left = this.getTransform().transformPoint({ x, y }).x
      window.labels.push([text, left - this.measureText(text).width * share])
      draw.call(this, text, x, y)
    }
  }`)
}

describe('a dashboard without load', () => {
  withChromium(
    'has no warning of a message to a user without streams, and no latency without messages',
    async () => {
      await using server = await serve()
      await using client = await RawClient.stream(server.publicPort, 1)
      await using page = await opened(server.controlUrl, SCREEN)
      expect(await server.publish({ to: 2, body: 'x' })).toBe(0)
      await waitFor('a latency', async () => {
        await server.publish({ to: 1, body: 'x' })
        return (await cardOf(page, 'Delivery latency, p99')).endsWith('s')
      })
      await client.received('x')
      await waitFor('none', async () => (await cardOf(page, 'Delivery latency, p99')) === '–')
      expect(await page.text('warnings')).toBe('No warnings.')
      const now = await page.ask<string>(
        `[...document.querySelectorAll('#all-table tr')].find((row) =>
          row.textContent.includes('p99')).children[1].textContent`,
      )
      expect(now).toBe('–')
      expect((await server.stats()).messages.dropped).toBe(1)
    },
    PATIENCE_MS,
  )

  withChromium(
    'has all labels of its axes whole, however long latency is',
    async () => {
      await using server = await serve()
      await using page = await opened(server.controlUrl, SCREEN)
      await page.until(`document.querySelectorAll('#charts canvas').length === 6`)
      await withLatency(page)
      for (const ms of [0.7, 23, 5_100]) {
        await page.ask(`{ window.latencyMs = ${ms}; window.labels.length = 0 }`)
        await page.until(`window.labels.some(([text]) => {
          const [, value, unit] = /^([\\d.]+) (m?s)$/.exec(text) ?? []
          return value * (unit === 's' ? 1000 : 1) > ${ms / 2}
        })`)
        expect(await page.ask(`window.labels.filter(([, left]) => left < 0)`)).toEqual([])
      }
    },
    PATIENCE_MS,
  )
})
