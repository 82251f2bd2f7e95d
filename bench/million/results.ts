// The files of results: the JSON of a run, its page and its picture, and the runs of other sizes.

import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { writtenCount } from '../../src/core/units.ts'
import { jsonText, readReport } from '../harness/report.ts'
import { figuresOf } from './figures.ts'
import { page } from './page.ts'
import { openingSvg } from './picture.ts'
import { newRecord } from './record.ts'
import { MillionReport } from './report.ts'

/** Writes a result and draws it. One that broke off does not replace one that did not. */
export async function writeResults(folder: string, report: MillionReport): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const file = `${fileOf(folder, report)}${report.failure === null ? '' : '-failed'}`
  await Bun.write(`${file}.json`, jsonText(report))
  return [`${file}.json`, ...(await draw(file, report, await othersIn(folder, report)))]
}

/** Draws all results of a folder again, each with the others as they are now beside it. */
export async function renderResults(folder: string): Promise<string[]> {
  const written: string[] = []
  for (const report of await resultsIn(folder)) {
    const others = await othersIn(folder, report)
    written.push(...(await draw(fileOf(folder, report), report, others)))
  }
  return written
}

/** Results of other sizes, the smallest first. */
export async function othersIn(folder: string, report: MillionReport): Promise<MillionReport[]> {
  return (await resultsIn(folder)).filter(({ connections }) => connections !== report.connections)
}

/** `million-100k` and so on. */
function fileOf(folder: string, { connections }: MillionReport): string {
  return `${folder}/million-${sizeName(connections)}`
}

/** `1m`, `100k`, `10k`, or all digits. */
export function sizeName(connections: number): string {
  return connections % 10_000 === 0 ? writtenCount(connections) : String(connections)
}

async function resultsIn(folder: string): Promise<MillionReport[]> {
  if (!existsSync(folder)) return []
  const found: MillionReport[] = []
  for (const file of new Bun.Glob('million-*.json').scanSync(folder)) {
    if (file.endsWith('-failed.json')) continue
    const report = await readReport(`${folder}/${file}`, MillionReport)
    if (report !== undefined) found.push(retitled(report))
  }
  return found.sort((a, b) => a.connections - b.connections)
}

/** With the titles of today, since a result of before may have others. */
function retitled(report: MillionReport): MillionReport {
  const now = figuresOf({ connections: report.connections, record: newRecord(), samples: [] })
  const titles = new Map(now.map(({ figure, title }) => [figure, title.trim()]))
  const figures = report.figures.map((of) => ({ ...of, title: titles.get(of.figure) ?? of.title }))
  return { ...report, figures }
}

async function draw(
  file: string,
  report: MillionReport,
  others: readonly MillionReport[],
): Promise<string[]> {
  await Bun.write(`${file}.svg`, openingSvg(report))
  await Bun.write(`${file}.html`, page(report, others))
  return [`${file}.html`, `${file}.svg`]
}
