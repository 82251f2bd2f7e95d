// Goal: the charts of a report name their axes and phases, where no line strikes a name. Method: a
// page with one chart, and Chromium, which records what is written on its canvas.

import { expect } from 'bun:test'
import type { Chart } from '../../../src/report/chart.ts'
import { chartBoxes, pageText } from '../../../src/report/html.ts'
import { BrowserPage, withChromium } from '../../support/browser.ts'
import { makeFolder } from '../../support/folder.ts'

const CHART: Chart = {
  id: 'memory',
  title: 'Memory',
  words: 'Of both ends.',
  across: 'seconds',
  places: [0, 10, 20],
  format: 'gibibytes',
  axisName: 'memory taken',
  rightFormat: 'count',
  rightName: 'streams open',
  curves: [
    { name: 'kernel', color: 'orange', values: [0, 4, 8] },
    { name: 'streams', color: 'purple', values: [0, 500_000, 1_000_000], isRight: true },
  ],
}

const BANDS = [
  { name: 'open', fromSeconds: 0, toSeconds: 8 },
  { name: 'silent', fromSeconds: 8, toSeconds: 20 },
]

/** Records each text that is written, with the height that it is at and how far it is turned. */
const RECORD = `{
  const draw = CanvasRenderingContext2D.prototype.fillText
  window.texts = []
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const { b } = this.getTransform()
    window.texts.push([text, this.getTransform().transformPoint({ x, y }).y, Math.round(b)])
    draw.call(this, text, x, y)
  }
}`

withChromium('a chart has the names of its axes, and those of its phases above it', async () => {
  await using folder = await makeFolder()
  const body = ['<h2>Over time</h2>', ...chartBoxes([CHART], 'No charts.')]
  const html = pageText({ title: 'A run', body, charts: [CHART], bands: BANDS })
  await Bun.write(`${folder.path}/page.html`, html)
  await using page = await BrowserPage.open()
  await page.show({ width: 1_000, height: 800 })
  await page.goTo(`file://${folder.path}/page.html`)
  await page.ask(RECORD)
  // A page of another width draws its charts again.
  await page.show({ width: 900, height: 800 })
  await page.until(`window.texts.some(([text]) => text === 'streams open')`)
  const texts = await page.ask<[text: string, y: number, turned: number][]>('window.texts')
  const turnedOf = (name: string) => texts.find(([text]) => text === name)?.[2]
  expect([turnedOf('memory taken'), turnedOf('streams open'), turnedOf('minutes:seconds')]).toEqual(
    [-1, 1, 0],
  )
  expect(texts.map(([text]) => text)).toContain('8 GiB')
  const topOf = (name: string) => texts.find(([text]) => text === name)?.[1] ?? 0
  // The names end where the chart begins, 20 pixels below the edge of the canvas.
  expect([topOf('open'), topOf('silent')]).toEqual([16, 16])
  expect(page.complaints).toEqual([])
  expect(await page.barriers()).toEqual([])
})
