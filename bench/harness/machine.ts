// What the figures were measured on, read from the machine, the executable and the tools: a figure
// without it cannot be compared with any other.

import { cpus, release, totalmem } from 'node:os'
import { withTimeout } from '../../src/core/deadline.ts'
import { openFilesLimit } from '../../src/os/descriptors.ts'
import { COMET } from './comet.ts'

/** Milliseconds for a tool to say which version it is of. */
const VERSION_MS_MAX = 20_000

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly openFilesLimit: number
}

export interface Versions {
  /** With the commit it was built from; a `+` says that the tree had changes of its own. */
  readonly comet: string
  readonly bun: string
  /** Null where there is no C compiler. */
  readonly cc: string | null
}

export function readMachine(): Machine {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: `${process.platform} ${release()} ${process.arch}`,
    openFilesLimit: openFilesLimit(),
  }
}

export async function readVersions(): Promise<Versions> {
  const cc = await soon('cc', Bun.$`cc --version`.nothrow().quiet())
  return {
    comet: await cometVersion(),
    bun: Bun.version,
    cc: cc.exitCode === 0 ? (cc.text().split('\n')[0] ?? null) : null,
  }
}

export async function cometVersion(): Promise<string> {
  return (await soon('comet', Bun.$`${COMET} --version`.quiet())).text().trim()
}

/** What a tool says of itself, which takes it no time. */
export function soon<T>(tool: string, asked: Promise<T>): Promise<T> {
  return withTimeout(`${tool} to tell its version`, asked, VERSION_MS_MAX)
}
