// Checks that README and manual name no measured figure but those of bench/results, each as its
// results file has it. Exits 1 otherwise; with --write it puts them right.

import { checkDocument } from './figures/documents.ts'

const root = `${import.meta.dir}/..`

/** README, and every page of the manual. */
async function documents(): Promise<string[]> {
  const pages = await Array.fromAsync(new Bun.Glob('src/manual/*.md').scan({ cwd: root }))
  return ['README.md', ...pages.sort()]
}

/** The results files, each read once. */
async function results(): Promise<ReadonlyMap<string, unknown>> {
  const files = new Bun.Glob('*.json').scan({ cwd: `${root}/bench/results` })
  const read = new Map<string, unknown>()
  for await (const file of files) {
    read.set(file, await Bun.file(`${root}/bench/results/${file}`).json())
  }
  return read
}

const read = await results()
let problems = 0
for (const path of await documents()) {
  const document = await Bun.file(`${root}/${path}`).text()
  const checked = checkDocument(document, (file) => read.get(file) ?? {})
  const isWritten = process.argv.includes('--write') && checked.text !== document
  if (isWritten) await Bun.write(`${root}/${path}`, checked.text)
  const left = isWritten ? checkDocument(checked.text, (file) => read.get(file) ?? {}) : checked
  for (const { line, text } of left.problems) console.error(`${path}:${line}: ${text}`)
  problems += left.problems.length
}
console.log(problems === 0 ? 'every figure is that of its results file' : `${problems} problems`)
process.exit(problems === 0 ? 0 : 1)
