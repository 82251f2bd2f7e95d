// What the figures were measured on, read from the machine, the executable and the tools: a figure
// without it cannot be compared with any other.

import { cpus, release, totalmem } from 'node:os'
import { openFilesLimit } from '../src/machine/descriptors.ts'
import { COMET } from './comet.ts'

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
  const comet = await Bun.$`${COMET} --version`.text()
  const cc = await Bun.$`cc --version`.nothrow().quiet()
  return {
    comet: comet.trim(),
    bun: Bun.version,
    cc: cc.exitCode === 0 ? (cc.text().split('\n')[0] ?? null) : null,
  }
}
