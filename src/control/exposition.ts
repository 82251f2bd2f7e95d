// Writes figures as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0.
// Our own, since prom-client keeps a map of label sets for
// each metric, takes no histogram that is filled already, and brings a client for OpenTelemetry
// with it.

import type { HistogramFigures } from '../core/histogram.ts'

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'info'

/** A metric as it is announced. Names of counters end in `_total`, those of infos in `_info`. */
export interface Family {
  readonly type: MetricType
  readonly help: string
}

export type Format = 'text' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

export type Labels = Readonly<Record<string, string>>

/** Samples of the metrics of a table, written in the table's order. */
export class Exposition<Name extends string> {
  readonly #families: Readonly<Record<Name, Family>>
  readonly #samples = new Map<Name, string[]>()

  constructor(families: Readonly<Record<Name, Family>>) {
    this.#families = families
  }

  /** Adds a sample; nothing if there is no value. */
  add(name: Name, value: number | null, labels: Labels = {}): void {
    if (value !== null) this.#push(name, name, value, labels)
  }

  /** Adds all samples of a histogram: how many values were at most each bound. */
  addHistogram(
    name: Name,
    bounds: readonly number[],
    { counts, sum }: HistogramFigures,
    labels: Labels = {},
  ): void {
    let count = 0
    for (const [at, inBucket] of counts.entries()) {
      count += inBucket
      const bound = bounds[at] ?? Number.POSITIVE_INFINITY
      this.#push(name, `${name}_bucket`, count, { ...labels, le: boundText(bound) })
    }
    this.#push(name, `${name}_sum`, sum, labels)
    this.#push(name, `${name}_count`, count, labels)
  }

  /** Everything, without the metrics that have no samples. */
  text(format: Format): string {
    const lines: string[] = []
    for (const name of Object.keys(this.#families) as Name[]) {
      const samples = this.#samples.get(name)
      if (samples === undefined) continue
      const { type, help } = this.#families[name]
      const announced = format === 'text' ? name : familyName(name, type)
      lines.push(`# HELP ${announced} ${escapeHelp(help, format)}`)
      lines.push(`# TYPE ${announced} ${format === 'text' && type === 'info' ? 'gauge' : type}`)
      lines.push(...samples)
    }
    if (format === 'openmetrics') lines.push('# EOF')
    return `${lines.join('\n')}\n`
  }

  #push(name: Name, sample: string, value: number, labels: Labels): void {
    const samples = this.#samples.get(name) ?? []
    samples.push(`${sample}${labelsText(labels)} ${value}`)
    this.#samples.set(name, samples)
  }
}

/** OpenMetrics announces a family without the suffix of its samples. */
function familyName(name: string, type: MetricType): string {
  if (type === 'counter') return name.replace(/_total$/, '')
  return type === 'info' ? name.replace(/_info$/, '') : name
}

/** The same in both formats, so that a series keeps its name: OpenMetrics wants the point. */
function boundText(bound: number): string {
  if (bound === Number.POSITIVE_INFINITY) return '+Inf'
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

/** Both formats are one line a text; only OpenMetrics escapes quotes in it. */
function escapeHelp(text: string, format: Format): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return format === 'text' ? escaped : escaped.replaceAll('"', '\\"')
}

/**
 * The format that a scraper would rather have (RFC 9110 section 12.5.1). Who names none, as curl
 * and browsers do not, gets the plain one.
 */
export function formatFor(accept: string | null): Format {
  const weightOf = (...types: string[]) =>
    Math.max(0, ...rangesOf(accept ?? '').map(({ type, q }) => (types.includes(type) ? q : 0)))
  const openmetrics = weightOf('application/openmetrics-text')
  return openmetrics > 0 && openmetrics >= weightOf('text/plain', 'text/*') ? 'openmetrics' : 'text'
}

/** The media ranges of an Accept header; other versions than ours are passed over. */
function rangesOf(accept: string): { readonly type: string; readonly q: number }[] {
  return accept.split(',').flatMap((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const parameterOf = (name: string) =>
      parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1)
    const version = parameterOf('version')
    if (version !== undefined && version !== '1.0.0' && version !== '0.0.4') return []
    const q = Number(parameterOf('q') ?? 1)
    return [{ type, q: q >= 0 && q <= 1 ? q : 0 }]
  })
}
