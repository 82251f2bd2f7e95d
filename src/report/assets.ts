// What pages are made of besides their own words: style, script, HTML and uPlot's licence, as text.
// Run as macros: when the module that imports them is built, so that the executable holds the
// results.

import { readFileSync } from 'node:fs'

const src = `${import.meta.dir}/..`
const uplot = `${src}/../node_modules/uplot`

/** The content of an inline element. */
export interface Inline {
  readonly text: string
  /** As a Content-Security-Policy allows it. */
  readonly source: string
}

/** The style of charts and reports, with what a page adds to it; paths are within src/. */
export function inlineStyle(...added: string[]): Inline {
  const paths = [`${uplot}/dist/uPlot.min.css`, `${src}/report/report.css`]
  paths.push(...added.map((path) => `${src}/${path}`))
  return inlined(paths.map((each) => readFileSync(each, 'utf8')).join('\n'))
}

/**
 * A module within src/ and what it imports, bundled: a macro may not run the bundler in its
 * process.
 */
export function inlineScript(path: string): Inline {
  const command = [process.execPath, 'build', `${src}/${path}`]
  const options = ['--target=browser', '--format=iife', '--minify']
  const built = Bun.spawnSync([...command, ...options])
  if (!built.success) throw new Error(`${path} was not built: ${built.stderr.toString()}`)
  return inlined(built.stdout.toString())
}

export function htmlFile(path: string): string {
  return readFileSync(`${src}/${path}`, 'utf8')
}

export function uplotLicense(): string {
  return readFileSync(`${uplot}/LICENSE`, 'utf8')
}

function inlined(content: string): Inline {
  // A closing tag inside a string would end the element.
  const text = content.replace(/<\/(script|style)/gi, '<\\/$1')
  const hash = new Bun.CryptoHasher('sha256').update(text).digest('base64')
  return { text, source: `'sha256-${hash}'` }
}
