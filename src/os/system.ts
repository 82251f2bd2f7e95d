// What the whole machine uses: processor time, load and memory, read when somebody asks. Nothing of it
// is to be had outside Linux; what is missing is null, and never an error.

import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'

export interface SystemFigures {
  /** Processor time since the start of the machine, of all cores together. */
  readonly userSeconds: number
  /** Of the kernel, interrupts included; most of what a server of very many streams costs. */
  readonly systemSeconds: number
  /** Processes that run or want to, in the mean of about a minute. */
  readonly load: number
  readonly memoryBytes: number
  /** Memory that is to be had without swapping. */
  readonly memoryAvailableBytes: number
  /** The kernel's own tables, of which sockets are the largest part here. */
  readonly kernelBytes: number
}

/** Ticks of a second in /proc/stat: the same for all programs on Linux, whatever the kernel uses. */
const TICKS_PER_SECOND = 100

export function systemFigures(): SystemFigures | null {
  try {
    const [load = 0] = loadavg()
    return {
      ...parseProcessorTime(readFileSync('/proc/stat', 'latin1')),
      ...parseMemory(readFileSync('/proc/meminfo', 'latin1')),
      load,
    }
  } catch {
    // Another system than Linux, or a process that may not look.
    return null
  }
}

/** The line `cpu  user nice system idle iowait irq softirq …`, the first of /proc/stat. */
export function parseProcessorTime(
  text: string,
): Pick<SystemFigures, 'userSeconds' | 'systemSeconds'> {
  const line = text.slice(0, text.indexOf('\n'))
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return {
    userSeconds: (user + nice) / TICKS_PER_SECOND,
    systemSeconds: (system + interrupts + softInterrupts) / TICKS_PER_SECOND,
  }
}

/** Lines of `MemTotal:       24689764 kB`. */
export function parseMemory(
  text: string,
): Pick<SystemFigures, 'memoryBytes' | 'memoryAvailableBytes' | 'kernelBytes'> {
  const bytesOf = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024
  return {
    memoryBytes: bytesOf('MemTotal'),
    memoryAvailableBytes: bytesOf('MemAvailable'),
    kernelBytes: bytesOf('Slab') + bytesOf('KernelStack') + bytesOf('PageTables'),
  }
}
