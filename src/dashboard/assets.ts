// What the page is made of, as text: frame, style and script. Run as macros: when the module that
// imports them is built, so that the executable holds the results.

import { readFileSync } from 'node:fs'

const root = `${import.meta.dir}/../..`

/** The reports' own style, with what the dashboard has besides. */
export function dashboardStyle(): string {
  return [
    `${root}/node_modules/uplot/dist/uPlot.min.css`,
    `${root}/src/report/page.css`,
    `${import.meta.dir}/page.css`,
  ]
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
}

export function dashboardFrame(): string {
  return readFileSync(`${import.meta.dir}/page.html`, 'utf8')
}

/** client.ts and what it imports, as one script. A macro may not run the bundler in its own process. */
export function dashboardScript(): string {
  const command = [process.execPath, 'build', `${import.meta.dir}/client.ts`]
  const options = ['--target=browser', '--format=iife', '--minify']
  const built = Bun.spawnSync([...command, ...options])
  if (!built.success) throw new Error(`the dashboard was not built: ${built.stderr.toString()}`)
  return built.stdout.toString()
}
