// Draws the picture of the README: what `bun run demo` printed, as it printed it, as an SVG that
// needs no font and no network. The figures in it are those of the run that it is drawn from.
//
//   bun scripts/picture.ts        runs the demo and writes bench/results/demo.svg

import { succeed } from './support/child-process.ts'

const root = `${import.meta.dir}/..`

/** Milliseconds for the demo, which takes half a minute. */
const DEMO_MS_MAX = 300_000

const FONT_PX = 14
const LINE_PX = 20
const CHARACTER_PX = 8.43
const PADDING_PX = 20
const BAR_PX = 34

const COLORS = {
  ground: '#0d1117',
  bar: '#161b22',
  words: '#8b949e',
  figures: '#e6edf3',
  prompt: '#58a6ff',
  good: '#3fb950',
}

/** What the demo printed on both outputs, in order, without what differs between machines. */
async function demoOutput(): Promise<string[]> {
  const command = ['sh', '-c', 'exec "$0" scripts/demo.ts 2>&1', process.execPath]
  const { stdout } = await succeed(command, { name: 'the demo', cwd: root, timeoutMs: DEMO_MS_MAX })
  return stdout.trim().split('\n')
}

function colorOf(line: string): string {
  if (line.startsWith('$')) return COLORS.prompt
  if (line.startsWith('Every promised')) return COLORS.good
  return /^(demo:|built)/.test(line) ? COLORS.words : COLORS.figures
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function picture(lines: readonly string[]): string {
  const width =
    Math.ceil(Math.max(...lines.map((line) => line.length)) * CHARACTER_PX) + 2 * PADDING_PX
  const height = BAR_PX + lines.length * LINE_PX + 2 * PADDING_PX
  const text = lines.map((line, at) => {
    const y = BAR_PX + PADDING_PX + (at + 0.8) * LINE_PX
    return `<text x="${PADDING_PX}" y="${y}" fill="${colorOf(line)}" xml:space="preserve">${escaped(line)}</text>`
  })
  const dots = [0, 1, 2].map(
    (at) => `<circle cx="${PADDING_PX + at * 18}" cy="${BAR_PX / 2}" r="5" fill="#30363d"/>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" role="img" aria-label="The demo, run in a terminal">`,
    `<rect width="${width}" height="${height}" rx="8" fill="${COLORS.ground}"/>`,
    `<path d="M0 8a8 8 0 0 1 8-8h${width - 16}a8 8 0 0 1 8 8v${BAR_PX - 8}H0z" fill="${COLORS.bar}"/>`,
    ...dots,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${FONT_PX}">`,
    ...text,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

const lines = ['$ bun run demo', ...(await demoOutput())]
await Bun.write(`${root}/bench/results/demo.svg`, picture(lines))
console.error('wrote bench/results/demo.svg')
