// The file of `comet flood --html`: checked before the run, and written at its end with the samples
// that it has collected. What is on the page is in html-page.ts.

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
import { OK, type Result, refused } from '../core/result.ts'
import { codeOrThrow } from '../core/system-error.ts'
import { viewLimits } from '../core/tool-limits.ts'
import { formatQuantity } from '../core/units.ts'
import { BoundedSamples, type Folds } from '../report/samples.ts'
import type { FloodReport, FloodSample } from './flood-report.ts'
import type { Totals } from './totals.ts'

/** A sample as numbers only: totals so far, and the latency since the previous sample. */
export type PageSample = Pick<FloodSample, 'seconds' | 'open'> &
  FloodSample['connections'] &
  Pick<FloodSample['received'], 'messages' | 'bytes'> &
  FloodSample['latency']

export const PAGE_FOLDS: Folds<PageSample> = {
  ...{ seconds: 'last', open: 'last', opened: 'last', failed: 'last', closed: 'last' },
  ...{ messages: 'last', bytes: 'last' },
  ...{ p50Ms: 'peak', p99Ms: 'peak', p999Ms: 'peak', maxMs: 'peak' },
}

export class HtmlFile {
  readonly #path: string
  readonly #samples = new BoundedSamples<PageSample>(viewLimits.samplesMax, PAGE_FOLDS)

  /** By the first sample. */
  #began: Date | null = null

  constructor(path: string) {
    this.#path = path
  }

  add(sample: FloodSample): void {
    this.#began ??= new Date(Date.parse(sample.time) - sample.seconds * 1_000)
    this.#samples.push(pageSampleOf(sample))
  }

  /** @throws OutputError if the file could not be written */
  async write(io: Io, report: FloodReport, totals: Totals): Promise<void> {
    // Loaded here, since no other process uses its charts and style.
    const { distributionOf, floodPage } = await import('./html-page.ts')
    const html = floodPage({
      report,
      samples: this.#samples.list,
      distribution: distributionOf(totals.latency),
      began: this.#began,
      command: commandLine(['comet', ...process.argv.slice(2)]),
      versions: versions(),
    })
    await writeFile(this.#path, io, (write) => write(Buffer.from(html)))
  }
}

export function pageSampleOf(sample: FloodSample): PageSample {
  const { seconds, open, connections, received, latency } = sample
  const { messages, bytes } = received
  return { seconds, open, ...connections, messages, bytes, ...latency }
}

/** Can the file be written later? The check leaves nothing behind. */
export function checkWritable(path: string): Result<void> {
  try {
    if (!existsSync(path)) {
      closeSync(openSync(path, 'wx'))
      unlinkSync(path)
    } else if (statSync(path).isDirectory()) {
      return refused(`--html ${path} is a folder; name a file in it`)
    } else accessSync(path, constants.W_OK)
    return OK
  } catch (error) {
    const code = codeOrThrow(error)
    const advice = code === 'ENOENT' ? 'create its folder first' : 'name a file that is writable'
    return refused(`--html ${path} cannot be written (${code}); ${advice}`)
  }
}

/** Quoted for a shell. */
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
    processor: `${processors[0]?.model ?? 'unknown'}, ${formatQuantity(processors.length, 'core')}`,
  }
}
