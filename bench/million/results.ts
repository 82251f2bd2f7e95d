// The files of results: a run's JSON, page and picture, and the runs of other sizes beside it.

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { sizeName } from './options.ts'
import { page } from './page.ts'
import { openingSvg } from './picture.ts'
import { type MillionReport, readReport } from './report.ts'

/** Writes a result and draws it. One that broke off does not replace one that did not. */
export async function writeResults(folder: string, report: MillionReport): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const suffix = report.failure === null ? '' : '-failed'
  const name = `${folder}/million-${sizeName(report.connections)}${suffix}`
  await Bun.write(`${name}.json`, jsonText(report))
  return [`${name}.json`, ...(await drawn(name, report, await othersIn(folder, report)))]
}

/** Draws all results of a folder again, each with the others as they are now beside it. */
export async function renderResults(folder: string): Promise<string[]> {
  const written: string[] = []
  for (const report of await resultsIn(folder)) {
    const name = `${folder}/million-${sizeName(report.connections)}`
    written.push(...(await drawn(name, report, await othersIn(folder, report))))
  }
  return written
}

/** Results of other sizes, the smallest first. */
export async function othersIn(folder: string, report: MillionReport): Promise<MillionReport[]> {
  return (await resultsIn(folder)).filter(({ connections }) => connections !== report.connections)
}

async function resultsIn(folder: string): Promise<MillionReport[]> {
  if (!existsSync(folder)) return []
  const found: MillionReport[] = []
  for (const file of new Bun.Glob('million-*.json').scanSync(folder)) {
    if (file.endsWith('-failed.json')) continue
    const report = await readReport(`${folder}/${file}`)
    if (report !== undefined) found.push(report)
  }
  return found.sort((a, b) => a.connections - b.connections)
}

async function drawn(
  name: string,
  report: MillionReport,
  others: readonly MillionReport[],
): Promise<string[]> {
  await Bun.write(`${name}.svg`, openingSvg(report))
  await Bun.write(`${name}.html`, page(report, others))
  return [`${name}.html`, `${name}.svg`]
}

/** Readable, but each list of samples on a line of its own: a number a line would be endless. */
export function jsonText(report: { readonly samples: Readonly<Record<string, unknown>> }): string {
  const { samples, ...rest } = report
  const head = JSON.stringify(rest, null, 2).slice(0, -2)
  const columns = Object.entries(samples).map(
    ([name, values]) => `    ${JSON.stringify(name)}: ${JSON.stringify(values)}`,
  )
  return `${head},\n  "samples": {\n${columns.join(',\n')}\n  }\n}\n`
}
