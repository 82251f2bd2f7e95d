// The machine and the versions that figures were measured on: without them a figure cannot be
// compared with any other.

import { accessSync, constants, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { COMET } from '../../scripts/support/comet.ts'
import { withTimeout } from '../../src/core/deadline.ts'
import { openFilesLimit } from '../../src/os/descriptors.ts'
import type { Machine } from './report.ts'

/** Milliseconds for a tool to print its version. */
const VERSION_MS_MAX = 20_000

const DROP_CACHES = '/proc/sys/vm/drop_caches'

export interface Versions {
  /** With the commit it was built from; a `+` says that the tree had changes of its own. */
  readonly comet: string
  readonly bun: string
  /** Null where there is no C compiler. */
  readonly cc: string | null
}

/** When and on what figures were measured, and how to repeat it. */
export interface Conditions {
  readonly date: Date
  readonly command: string
  readonly machine: Machine
  readonly versions: Versions
}

/** The conditions of a run that begins now. */
export async function conditionsOf(command: string, args: readonly string[]): Promise<Conditions> {
  return {
    date: new Date(),
    command: [command, ...args].join(' '),
    machine: readMachine(),
    versions: await readVersions(),
  }
}

function readMachine(): Machine {
  const processors = cpus()
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: `${process.platform} ${release()} ${process.arch}`,
    openFilesLimit: openFilesLimit(),
  }
}

async function readVersions(): Promise<Versions> {
  const cc = await version('cc', Bun.$`cc --version`.nothrow().quiet())
  return {
    comet: (await version('comet', Bun.$`${COMET} --version`.quiet())).text().trim(),
    bun: Bun.version,
    cc: cc.exitCode === 0 ? (cc.text().split('\n')[0] ?? null) : null,
  }
}

export function version<T>(tool: string, asked: Promise<T>): Promise<T> {
  return withTimeout(`the version of ${tool}`, asked, VERSION_MS_MAX)
}

/** So that pages of files read long ago are not counted as free memory that streams took. */
export function dropCaches(): boolean {
  try {
    Bun.spawnSync(['sync'])
    writeFileSync(DROP_CACHES, '3')
    return true
  } catch {
    // Not allowed here: the figures of the kernel are less exact.
    return false
  }
}

export function mayDropCaches(): boolean {
  try {
    accessSync(DROP_CACHES, constants.W_OK)
    return true
  } catch {
    return false
  }
}
