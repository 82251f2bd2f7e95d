// A result as one HTML page that needs no network: its tables are plain, its charts are drawn by
// charts.ts, which is bundled into it, from the result itself, which lies in it as JSON.

import { openingSvg } from './picture.ts'
import { referenceRows } from './reference.ts'
import type { MillionReport, ReportFigure } from './report.ts'
import {
  ATTEMPT_HEAD,
  attemptCells,
  conditions,
  formatFigure,
  formatNumber,
  formatTarget,
  formatVerdict,
  sizeRows,
} from './table.ts'

/** The figures that a reader wants first. */
const CARDS = [
  'streamsOpen',
  'takenGib',
  'serverPerStream',
  'openedPerSecond',
  'steadyP99Ms',
  'subjectDeliveriesPerSecond',
] as const

const CHARTS: readonly (readonly [id: string, title: string, words: string])[] = [
  [
    'memory-opening',
    'Memory while the streams open',
    'Taken from the machine since before the server started, both ends; of it the kernel’s share ' +
      '(sockets, stacks, page tables) and the processes’ (proportional set size).',
  ],
  ['opening', 'Streams opened a second', 'As the client counts first bytes of answers.'],
  [
    'memory-flow',
    'Memory while messages flow',
    'From silence through the steady flow to the searches.',
  ],
  [
    'latency',
    'From publish to receive',
    'Of the messages of each second, logarithmic. The clock starts when a message was due.',
  ],
  ['deliveries', 'Deliveries received a second', 'By all streams together.'],
  [
    'cpu',
    'Processor cores in use',
    'By what the processes do; the whole machine has the kernel’s.',
  ],
]

export async function page(
  report: MillionReport,
  others: readonly MillionReport[],
): Promise<string> {
  const title = `${report.connections.toLocaleString('en-US')} streams on one machine`
  const license = await uplotFile('LICENSE')
  const style =
    (await uplotFile('dist/uPlot.min.css')) + (await Bun.file(`${import.meta.dir}/page.css`).text())
  const json = JSON.stringify(report).replaceAll('<', '\\u003c')
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>comet: ${title}</title>`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    `<h1>${title}</h1>`,
    ...head(report),
    ...charts(report),
    ...tables(report, others),
    `<script type="application/json" id="report">${json}</script>`,
    `<!-- The charts are drawn by uPlot.\n${license}-->`,
    `<script>${await chartsScript()}</script>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function head(report: MillionReport): string[] {
  const [machine = '', versions = ''] = conditions(report)
  const missed = report.figures.filter(({ met }) => met === false)
  const verdict = report.ok
    ? '<p class="good">It ran to its end, and every target was met.</p>'
    : `<p class="bad">${escaped(whyNot(report.failure, missed))}</p>`
  const cards = CARDS.flatMap((name) => {
    const found = report.figures.find(({ figure }) => figure === name)
    return found === undefined ? [] : card(found)
  })
  return [
    `<p class="muted">${escaped(`${machine}; ${versions}; ${report.date}`)}</p>`,
    verdict,
    `<div class="cards">${cards.join('')}</div>`,
  ]
}

function whyNot(failure: string | null, missed: readonly ReportFigure[]): string {
  const titles = missed.map(({ title }) => title).join('; ')
  const targets = missed.length === 0 ? '' : `Not met: ${titles}.`
  return failure === null ? targets : `It broke off: ${failure.split('\n')[0]}. ${targets}`
}

function card(of: ReportFigure): string {
  const unit = of.unit === '' ? '' : ` ${of.unit}`
  const value = of.value === null ? '–' : `${formatNumber(of.value, of.digits)}${unit}`
  const target = formatTarget(of)
  const mark = of.met === null ? '' : of.met ? ' ✓' : ' ✗ not met'
  const words = target === '' ? '' : `<span>${escaped(target + mark)}</span>`
  return `<div class="card"><span>${escaped(of.title)}</span><b>${escaped(value)}</b>${words}</div>`
}

function charts(report: MillionReport): string[] {
  const boxes = CHARTS.flatMap(([id, title, words]) => [
    `<h3>${title}</h3>`,
    `<p class="muted">${words}</p>`,
    `<div class="chart" id="${id}"></div>`,
  ])
  return [
    '<h2>Over time</h2>',
    '<p class="muted">Minutes and seconds since the server started. Drag over a stretch to enlarge ' +
      'it, double-click to see all again, click a name to hide its curve.</p>',
    `<noscript>${openingSvg(report)}</noscript>`,
    '<div id="charts">',
    ...boxes,
    '</div>',
  ]
}

function tables(report: MillionReport, others: readonly MillionReport[]): string[] {
  const reference = referenceRows(report).map((row) => Object.values(row))
  const referenceHead = ['', 'mochiweb, 2008', 'libevent, 2008', 'comet']
  const figures = report.figures.map((of) => figureRow(of))
  const figuresHead = headRow(['figure', 'value', 'target', ''], new Set([1]))
  const all = [report, ...others]
  const [sizesHead = [], ...sizes] = sizeRows(all)
  const numbers = new Set([1, 2, 3, 4, 5])
  const attempts = report.attempts.map((of) => attemptCells(of))
  return [
    '<h2>Beside the system of 2008</h2>',
    '<p class="muted">Richard Jones, “A Million-user Comet Application with Mochiweb”, parts 1 to 3.</p>',
    table(
      headRow(referenceHead),
      reference.map((row) => bodyRow(row)),
    ),
    ...(others.length === 0
      ? []
      : [
          '<h2>What a stream and a message cost, by size</h2>',
          table(
            headRow(sizesHead, numbers),
            sizes.map((row) => bodyRow(row, numbers)),
          ),
        ]),
    '<h2>All figures</h2>',
    table(figuresHead, figures),
    ...methodNote(report),
    ...(attempts.length === 0
      ? []
      : [
          '<h2>Searching the highest rate</h2>',
          table(
            headRow(ATTEMPT_HEAD, new Set([1, 2, 3])),
            attempts.map((row) => bodyRow(row, new Set([1, 2, 3]))),
          ),
        ]),
    ...machineTables(report),
  ]
}

function methodNote({ pageCacheDropped }: MillionReport): string[] {
  const notes = [
    'Percentiles of the steady flow are of all its messages.',
    'Memory taken is the fall in free memory since before the server started, less the growth of ' +
      `pages of files that no process maps${pageCacheDropped ? '; those were dropped before, and after the start' : ''}.`,
  ]
  return [`<p class="muted">${notes.join(' ')}</p>`]
}

function machineTables(report: MillionReport): string[] {
  const check = report.check.map(({ name, found, wanted, why, ok }) =>
    bodyRow([name, found, wanted, ok ? 'ok' : 'missing', why]),
  )
  const settings = Object.entries(report.settings).map((row) => bodyRow(row))
  return [
    '<h2>The machine</h2>',
    table(headRow(['', 'found', 'wanted', '', 'why']), check),
    '<h3>Kernel settings</h3>',
    table(headRow(['setting', 'value']), settings),
    '<h2>To repeat it</h2>',
    `<pre>${escaped(report.command)}</pre>`,
  ]
}

function figureRow(of: ReportFigure): string {
  const verdict = formatVerdict(of)
  const style = verdict === 'met' ? ' class="good"' : ' class="bad"'
  const title = of.isDetail ? '<td class="detail">' : '<td>'
  return (
    `<tr>${title}${escaped(of.title)}</td><td class="number">${escaped(formatFigure(of))}</td>` +
    `<td>${escaped(formatTarget(of))}</td><td${style}>${verdict}</td></tr>`
  )
}

function table(head: string, rows: readonly string[]): string {
  return `<div class="scroll"><table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table></div>`
}

function headRow(cells: readonly string[], numbers: ReadonlySet<number> = new Set()): string {
  return `<tr>${cells.map((text, at) => cell('th', text, numbers.has(at))).join('')}</tr>`
}

function bodyRow(cells: readonly string[], numbers: ReadonlySet<number> = new Set()): string {
  return `<tr>${cells.map((text, at) => cell('td', text, numbers.has(at))).join('')}</tr>`
}

function cell(tag: 'td' | 'th', text: string, isNumber: boolean): string {
  return `<${tag}${isNumber ? ' class="number"' : ''}>${escaped(text)}</${tag}>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

async function uplotFile(path: string): Promise<string> {
  return await Bun.file(Bun.resolveSync(`uplot/${path}`, import.meta.dir)).text()
}

async function chartsScript(): Promise<string> {
  const built = await Bun.build({
    entrypoints: [`${import.meta.dir}/charts.ts`],
    target: 'browser',
    format: 'iife',
    minify: true,
  })
  const [script] = built.outputs
  if (script === undefined) throw new Error(`the charts were not built: ${built.logs.join('\n')}`)
  // A closing tag inside a string would end the script.
  return (await script.text()).replaceAll('</script', '<\\/script')
}
