// This process as the kernel sees it: which signals end it, how it is scheduled, whether it
// outlives its parent, and what its command line shows.

import { type Pointer, ptr, toArrayBuffer } from 'bun:ffi'
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { codeOf } from '../core/system-error.ts'
import { openCLibrary } from './libc.ts'

/** Signals that end a process without a handler, and that mean nothing to a server. */
const STRAY = [
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
] as const satisfies readonly NodeJS.Signals[]

/**
 * By their numbers in <signal.h>, ignored without a report: Bun does not pass on SIGSTKFLT and
 * those that programs agree on; and a write that raises SIGPIPE or SIGXFSZ fails too, which says
 * more.
 */
const SILENT = { pipe: 13, stackFault: 16, fileSize: 25, realTimeFirst: 35, realTimeLast: 64 }

const SIG_IGN = 1

/** A stray signal, of a tool that reloads other servers by it, must not end all streams. */
export function ignoreStrays(onIgnoredSignal: (signal: string) => void): void {
  for (const signal of STRAY) process.on(signal, () => onIgnoredSignal(signal))
  const library = openCLibrary({ signal: { args: ['i32', 'u64'], returns: 'u64' } })
  if (library === null) return
  const { pipe, stackFault, fileSize, realTimeFirst, realTimeLast } = SILENT
  const ignore = (number: number) => library.symbols.signal(number, SIG_IGN)
  for (const number of [pipe, stackFault, fileSize]) ignore(number)
  for (let number = realTimeFirst; number <= realTimeLast; number++) ignore(number)
}

/** Signals that end the process if nothing handles them. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/**
 * Cleans up if the process ends before the returned function is called, be it by a signal that
 * nothing else handles. The signal then ends the process as it would have.
 */
export function onProcessEnd(cleanUp: (by: 'exit' | 'signal') => void): () => void {
  const onExit = () => cleanUp('exit')
  const forget = () => {
    process.off('exit', onExit)
    for (const signal of ENDING) process.off(signal, onSignal)
  }
  const onSignal = (signal: NodeJS.Signals) => {
    // Something else handles it, and the command goes on.
    if (process.listenerCount(signal) > 1) return
    cleanUp('signal')
    forget()
    process.kill(process.pid, signal)
  }
  process.on('exit', onExit)
  // First of all, since a listener that waits for one signal is gone when it has come.
  for (const signal of ENDING) process.prependListener(signal, onSignal)
  return forget
}

// <linux/sched.h> and <sys/resource.h>
const THIS_THREAD = 0
const SCHED_BATCH = 3
const PRIO_PROCESS = 0

/**
 * Does not preempt other processes when there is work for this one (sched(7), SCHED_BATCH). For
 * many processes that share few cores and wake each other all the time: each then does more at a
 * time. Measured with a million streams in a hundred processes, it makes a delivery a third
 * cheaper; with a core for each it changes nothing.
 *
 * @returns whether the kernel does it
 */
export function yieldToOthers(): boolean {
  const library = openCLibrary({
    sched_setscheduler: { args: ['i32', 'i32', 'ptr'], returns: 'i32' },
  })
  if (library === null) return false
  // Its one field, the priority, is 0 for this policy.
  const parameters = new Int32Array(1)
  return library.symbols.sched_setscheduler(THIS_THREAD, SCHED_BATCH, ptr(parameters)) === 0
}

/** Processes a core from which they are a crowd. */
const CROWD_PER_CORE = 8

/** Are so many processes of one kind a crowd on the cores of this machine? */
export function isCrowd(processes: number): boolean {
  return processes >= CROWD_PER_CORE * availableParallelism()
}

/** A tenth of the usual weight (sched(7)). */
const NICE = 10

/**
 * Lets other processes run before this one, which is one of a crowd: the process that all of them
 * depend on had one of two hundred shares of the cores, and took 100 s to answer whether it is
 * alive.
 *
 * @returns whether the kernel does it
 */
export function runAfterOthers(): boolean {
  const library = openCLibrary({
    setpriority: { args: ['i32', 'u32', 'i32'], returns: 'i32' },
    getsid: { args: ['i32'], returns: 'i32' },
  })
  if (library === null) return false
  const { setpriority, getsid } = library.symbols
  // Of a session that has other processes it is not ours to say.
  if (getsid(0) === process.pid) yieldSession(SESSION_TRIES)
  return setpriority(PRIO_PROCESS, THIS_THREAD, NICE) === 0
}

/** Where the kernel shares CPU time by session, the nice value of a process counts only within its
 * session, which has one of its own (sched(7), autogroup). */
const SESSION = '/proc/self/autogroup'

/** All processes of the machine may change one ten times a second, so others may be in the way. */
const SESSION_TRIES = 100
const SESSION_RETRY_MS = 250

function yieldSession(tries: number): void {
  try {
    writeFileSync(SESSION, String(NICE))
  } catch (error) {
    // Of any other reason the kernel has no such thing, or this process may not write there.
    if (codeOf(error) !== 'EAGAIN' || tries === 0) return
    const retryMs = SESSION_RETRY_MS * (1 + Math.random())
    setTimeout(() => yieldSession(tries - 1), retryMs).unref()
  }
}

// <linux/prctl.h> and <signal.h>
const PR_SET_PDEATHSIG = 1
const SIGKILL = 9

/**
 * Has the kernel end this process when its parent ends, even one that hangs (prctl(2),
 * PR_SET_PDEATHSIG).
 *
 * @returns whether the kernel does it
 */
export function endWithParent(): boolean {
  const library = openCLibrary({ prctl: { args: ['i32', 'u64'], returns: 'i32' } })
  return library !== null && library.symbols.prctl(PR_SET_PDEATHSIG, SIGKILL) === 0
}

/** In proc_pid_stat(5), counted from 1: where the arguments begin in memory, and where they end. */
const ARG_START_FIELD = 48
const ARG_END_FIELD = 49
/** The second field, a name in brackets, may contain blanks; fields are counted from the next. */
const FIRST_FIELD_AFTER_NAME = 3

const MASK = '*'.charCodeAt(0)

/**
 * Overwrites the value of an option with stars, as `ps` and /proc show it to every user of the
 * machine. The arguments that the program itself was given stay as they are.
 *
 * @returns false if the arguments cannot be reached: then the value stays visible
 */
export function hideOptionValue(option: string): boolean {
  if (process.platform !== 'linux') return false
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const start = Number(fields[ARG_START_FIELD - FIRST_FIELD_AFTER_NAME])
  const end = Number(fields[ARG_END_FIELD - FIRST_FIELD_AFTER_NAME])
  // 0 where the kernel does not say.
  if (!(start > 0 && end > start)) return false
  maskValue(new Uint8Array(toArrayBuffer(start as Pointer, 0, end - start)), option)
  return true
}

/**
 * The same in bytes of arguments, each with a zero after it. The value is the next argument or
 * follows an equals sign.
 */
export function maskValue(args: Uint8Array, option: string): void {
  const name = new TextEncoder().encode(option)
  let isValue = false
  for (let begin = 0; begin < args.length; ) {
    const zero = args.indexOf(0, begin)
    const end = zero < 0 ? args.length : zero
    const arg = args.subarray(begin, end)
    const isNamed = name.every((byte, at) => arg[at] === byte)
    if (isValue) arg.fill(MASK)
    else if (isNamed && arg[name.length] === '='.charCodeAt(0)) arg.fill(MASK, name.length + 1)
    isValue = !isValue && isNamed && arg.length === name.length
    begin = end + 1
  }
}
