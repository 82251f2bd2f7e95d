// HTML pages that need no network: the document around a report with its charts as data and the
// script that draws them, and the pieces that reports are made of. All text goes through `escaped`.

import { inlineScript, inlineStyle, uplotLicense } from './assets.ts' with { type: 'macro' }
import type { Chart, ChartData, Curve } from './chart.ts'

const STYLE = inlineStyle()
const SCRIPT = inlineScript('report/draw.ts')
const LICENSE = uplotLicense()

// Nothing is loaded, and no other script runs.
const POLICY = `default-src 'none'; script-src ${SCRIPT.source}; style-src ${STYLE.source}`

export interface Page extends ChartData {
  readonly title: string
  /** HTML. */
  readonly body: readonly string[]
}

export function pageText({ title, body, charts, bands }: Page): string {
  const data = JSON.stringify({ charts, bands }).replaceAll('<', '\\u003c')
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>comet: ${escaped(title)}</title>`,
    `<style>${STYLE.text}</style>`,
    '</head>',
    '<body>',
    '<main>',
    `<h1>${escaped(title)}</h1>`,
    ...body,
    '</main>',
    `<script type="application/json" id="data">${data}</script>`,
    `<!-- The charts are drawn by uPlot.\n${LICENSE}-->`,
    `<script>${SCRIPT.text}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

/** Names of latencies in samples. */
type LatencyName = 'p50Ms' | 'p99Ms' | 'p999Ms' | 'maxMs'

/** A logarithmic axis has no zero. The resolution of a measurement is a microsecond. */
const LATENCY_MS_MIN = 0.001

/** Latencies for a logarithmic axis. */
export function latencyCurves(valuesOf: (name: LatencyName) => Curve['values']): Curve[] {
  const values = (name: LatencyName) =>
    valuesOf(name).map((ms) => (ms === null ? null : Math.max(LATENCY_MS_MIN, ms)))
  return [
    { name: 'p50', color: 'green', values: values('p50Ms') },
    { name: 'p99', color: 'blue', values: values('p99Ms') },
    { name: 'p99.9', color: 'orange', values: values('p999Ms') },
    { name: 'slowest', color: 'pink', values: values('maxMs'), stroke: 'dotted' },
  ]
}

/** The elements of the charts, each under its title, with what stands there without JavaScript. */
export function chartBoxes(charts: readonly Chart[], noscript: string): string[] {
  return [
    '<p class="muted">Drag to zoom in, double-click to zoom out, click a name to hide its curve.</p>',
    `<noscript>${noscript}</noscript>`,
    '<div id="charts">',
    ...charts.flatMap(({ id, title, words }) => [
      `<h3>${escaped(title)}</h3>`,
      `<p class="muted">${escaped(words)}</p>`,
      `<div class="chart" id="${id}"></div>`,
    ]),
    '</div>',
  ]
}

/** A figure that readers want first. */
export function card(title: string, value: string, words = ''): string {
  const below = words === '' ? '' : `<span>${escaped(words)}</span>`
  return `<div class="card"><span>${escaped(title)}</span><b>${escaped(value)}</b>${below}</div>`
}

export function table(head: string, rows: readonly string[]): string {
  const inner = `<thead>${head}</thead><tbody>${rows.join('\n')}</tbody>`
  // What scrolls must be reached by keyboard, too.
  return `<div class="scroll" tabindex="0"><table>${inner}</table></div>`
}

/** @param numbers which cells are aligned as numbers */
export function headRow(cells: readonly string[], numbers?: ReadonlySet<number>): string {
  return row('th', cells, numbers)
}

export function bodyRow(cells: readonly string[], numbers?: ReadonlySet<number>): string {
  return row('td', cells, numbers)
}

function row(tag: 'td' | 'th', cells: readonly string[], numbers?: ReadonlySet<number>): string {
  const cell = (text: string, at: number) => {
    // A head without words is none.
    const name = text === '' ? 'td' : tag
    return `<${name}${numbers?.has(at) ? ' class="number"' : ''}>${escaped(text)}</${name}>`
  }
  return `<tr>${cells.map(cell).join('')}</tr>`
}

/** Text that reads the same in an element and in an attribute. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
