// What the tests of `/metrics` share: to ask for a page as a scraper does, and to read it by the
// rules of the text format, strictly, so that a line that Prometheus would not take fails a test.

import { runProgram } from './child-process.ts'
import { ask, type CometServer } from './comet.ts'

/** Prometheus 2 asks so. */
export const OPENMETRICS =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,' +
  'text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

/** Milliseconds for promtool to check one text. */
const PROMTOOL_MS_MAX = 30_000

export const PROMTOOL = Bun.which('promtool')

/** Said once where tests are left out for the lack of it. */
export function sayIfPromtoolIsMissing(): void {
  if (PROMTOOL !== null) return
  console.error("Left out: what promtool checks. It is in Debian's package prometheus.")
}

/** Runs promtool on a text; answers what it complains of. */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  if (PROMTOOL === null) throw new Error('promtool is missing')
  const stdin = new Blob([input])
  const options = { stdin, timeoutMs: PROMTOOL_MS_MAX }
  const { exitCode, stdout, stderr } = await runProgram([PROMTOOL, ...args], options)
  return exitCode === 0 ? stderr : `exit code ${exitCode}: ${stdout}${stderr}`
}

/** One page, as it came and as it is read. */
export interface Page {
  readonly contentType: string | null
  readonly text: string
  /** Types of the families announced. */
  readonly types: ReadonlyMap<string, string>
  /** Values by name and labels as they are written, such as `a_total{reason="x"}`. */
  readonly samples: ReadonlyMap<string, number>
  /** The value of one sample; throws if it is not there. */
  value(sample: string): number
}

/** Asks a server for its metrics. */
export async function scrape({ controlUrl }: CometServer, accept?: string): Promise<Page> {
  const headers = accept === undefined ? {} : { headers: { accept } }
  const response = await ask(controlUrl, '/metrics', headers)
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
  const text = await response.text()
  return { ...read(text), text, contentType: response.headers.get('content-type') }
}

const SAMPLE = /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)+\})? (-?[\d.]+(?:e[+-]?\d+)?)$/

function read(text: string): Pick<Page, 'types' | 'samples' | 'value'> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const types = new Map<string, string>()
  const samples = new Map<string, number>()
  let family = ''
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '# EOF') continue
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? []
    if (kind === 'TYPE') {
      if (types.has(name)) throw new Error(`${name} is announced twice`)
      types.set(name, rest)
    }
    if (kind !== undefined) {
      family = name
      continue
    }
    const [, sample = '', labels = '', value] = SAMPLE.exec(line) ?? []
    if (value === undefined) throw new Error(`not a sample: ${line}`)
    if (!sample.startsWith(family)) throw new Error(`${sample} lies among ${family}`)
    if (samples.has(sample + labels)) throw new Error(`${sample}${labels} is there twice`)
    samples.set(sample + labels, Number(value))
  }
  return {
    types,
    samples,
    value: (sample) => {
      const value = samples.get(sample)
      if (value === undefined) throw new Error(`there is no ${sample}`)
      return value
    },
  }
}

/** Samples of which none may ever fall: those of counters, and of histograms. */
export function growing({ types, samples }: Page): Map<string, number> {
  const grows = [...types].filter(([, type]) => type === 'counter' || type === 'histogram')
  return new Map(
    [...samples].filter(([sample]) => {
      const [name = ''] = sample.split('{')
      return grows.some(([family, type]) =>
        type === 'counter'
          ? name === family
          : /_(bucket|sum|count)$/.test(name.slice(family.length)),
      )
    }),
  )
}

/** Samples that have fallen, or gone, from one page to the next. */
export function fallen(before: Page, after: Page): string[] {
  const now = growing(after)
  return [...growing(before)].flatMap(([sample, value]) => {
    const next = now.get(sample)
    return next !== undefined && next >= value ? [] : [`${sample}: ${value}, then ${next}`]
  })
}
