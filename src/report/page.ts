// A page that reads without a network: its frame, its charts as data with the script that draws them,
// and the pieces that pages are made of. All text that comes from elsewhere goes through `escaped`.

import { pageScript, pageStyle, uplotLicense } from './assets.ts' with { type: 'macro' }
import type { Chart, Charts } from './chart.ts'

const STYLE = inert(pageStyle())
const SCRIPT = inert(pageScript())
const LICENSE = uplotLicense()

export interface Page extends Charts {
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
    // Nothing is loaded from anywhere, and no script runs but the one below.
    `<meta http-equiv="Content-Security-Policy" content="${policy()}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>comet: ${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    `<h1>${escaped(title)}</h1>`,
    ...body,
    `<script type="application/json" id="data">${data}</script>`,
    `<!-- The charts are drawn by uPlot.\n${LICENSE}-->`,
    `<script>${SCRIPT}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function policy(): string {
  const allowed = (text: string) =>
    `'sha256-${new Bun.CryptoHasher('sha256').update(text).digest('base64')}'`
  return `default-src 'none'; script-src ${allowed(SCRIPT)}; style-src ${allowed(STYLE)}`
}

/** A closing tag inside a string would end the element. */
function inert(text: string): string {
  return text.replace(/<\/(script|style)/gi, '<\\/$1')
}

/** The place of each chart. */
export function chartBoxes(charts: readonly Chart[], noscript: string): string[] {
  return [
    '<p class="muted">Drag over a stretch to enlarge it, double-click to see all again, click a ' +
      'name to hide its curve.</p>',
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

/** A figure that a reader wants first. */
export function card(title: string, value: string, words = ''): string {
  const below = words === '' ? '' : `<span>${escaped(words)}</span>`
  return `<div class="card"><span>${escaped(title)}</span><b>${escaped(value)}</b>${below}</div>`
}

export function table(head: string, rows: readonly string[]): string {
  return `<div class="scroll"><table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

/** @param numbers which cells are aligned as numbers */
export function headRow(
  cells: readonly string[],
  numbers: ReadonlySet<number> = new Set(),
): string {
  return `<tr>${cells.map((text, at) => cell('th', text, numbers.has(at))).join('')}</tr>`
}

export function bodyRow(
  cells: readonly string[],
  numbers: ReadonlySet<number> = new Set(),
): string {
  return `<tr>${cells.map((text, at) => cell('td', text, numbers.has(at))).join('')}</tr>`
}

function cell(tag: 'td' | 'th', text: string, isNumber: boolean): string {
  return `<${tag}${isNumber ? ' class="number"' : ''}>${escaped(text)}</${tag}>`
}

/** Text as it reads, wherever in the HTML it stands. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
