// The page of `comet flood --html`: makes sure before the run that its file can be written, keeps what
// it needs while the run goes, and writes it at the end. What is on it is src/flood's business.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  statSync,
  unlinkSync,
} from 'node:fs'
import { cpus, release, type } from 'node:os'
import type { Io } from '../cli/io.ts'
import { writeFile } from '../cli/output.ts'
import { versionLine } from '../core/build.ts'
import { distributionOf } from './distribution.ts'
import type { FloodReport } from './flood-report.ts'
import { KeptSamples } from './kept.ts'
import type { FloodSample } from './sample.ts'
import type { Totals } from './totals.ts'

export class PageFile {
  readonly #path: string
  readonly #samples = new KeptSamples()

  constructor(path: string) {
    this.#path = path
  }

  hear(sample: FloodSample): void {
    this.#samples.hear(sample)
  }

  /** @throws OutputError if it could not be written */
  async write(io: Io, report: FloodReport, totals: Totals): Promise<void> {
    // Loaded when it is needed: it brings charts and style with it, which no other process uses.
    const { floodPage } = await import('./html-page.ts')
    const html = floodPage({
      report,
      samples: this.#samples.list,
      distribution: distributionOf(totals.latency),
      command: commandLine(['comet', ...process.argv.slice(2)]),
      versions: versions(),
    })
    await writeFile(this.#path, io, (write) => write(Buffer.from(html)))
  }
}

/** What stands in the way of writing to the file later; nothing is left behind. */
export function whyNotWritable(path: string): string | null {
  try {
    if (!existsSync(path)) {
      closeSync(openSync(path, 'wx'))
      unlinkSync(path)
    } else if (statSync(path).isDirectory()) {
      return `--html ${path} is a folder; name a file in it`
    } else accessSync(path, constants.W_OK)
    return null
  } catch (error) {
    const code = codeOf(error)
    const advice =
      code === 'ENOENT' ? 'make its folder first' : 'name a file that you may write, elsewhere'
    return `--html ${path} cannot be written (${code}); ${advice}`
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code)
  throw error
}

/** As it can be pasted into a shell. */
export function commandLine(words: readonly string[]): string {
  const quoted = (word: string) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
  return words.map(quoted).join(' ')
}

function versions(): Record<string, string> {
  const processors = cpus()
  return {
    comet: versionLine(),
    Bun: Bun.version,
    system: `${type()} ${release()}`,
    processor: `${processors[0]?.model ?? 'unknown'}, ${processors.length} cores`,
  }
}
