// What every page carries besides its own words: style, script and uPlot's licence, as text. Run as
// macros: when the module that imports them is built, so that the executable holds the results.

import { readFileSync } from 'node:fs'

const uplot = `${import.meta.dir}/../../node_modules/uplot`

export function pageStyle(): string {
  const own = readFileSync(`${import.meta.dir}/page.css`, 'utf8')
  return readFileSync(`${uplot}/dist/uPlot.min.css`, 'utf8') + own
}

/** draw.ts and what it imports, as one script. A macro may not run the bundler in its own process. */
export function pageScript(): string {
  const command = [process.execPath, 'build', `${import.meta.dir}/draw.ts`]
  const options = ['--target=browser', '--format=iife', '--minify']
  const built = Bun.spawnSync([...command, ...options])
  if (!built.success) throw new Error(`the charts were not built: ${built.stderr.toString()}`)
  return built.stdout.toString()
}

export function uplotLicense(): string {
  return readFileSync(`${uplot}/LICENSE`, 'utf8')
}
