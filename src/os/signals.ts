// Signals that end a process that does not wait for them, and that mean nothing to a server. A stray
// one, of a tool that reloads others by it, must not take all streams with it.

import { openCLibrary } from './libc.ts'

const STRAY = [
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGVTALRM',
  'SIGPROF',
  'SIGIO',
] as const satisfies readonly NodeJS.Signals[]

/**
 * By their numbers in <signal.h>, ignored without a word: Bun does not pass them on, SIGSTKFLT and those
 * that programs agree on; or a write raises them and fails too (SIGPIPE, SIGXFSZ), which tells more.
 */
const SILENT = { pipe: 13, stackFault: 16, fileSize: 25, realTimeFirst: 35, realTimeLast: 64 }

/** Signals that end the process if nothing handles them. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

const SYMBOLS = { signal: { args: ['i32', 'u64'], returns: 'u64' } } as const
const SIG_IGN = 1

/** Ignores them; tells of each that can be told of. */
export function ignoreStrays(onIgnoredSignal: (signal: string) => void): void {
  for (const signal of STRAY) process.on(signal, () => onIgnoredSignal(signal))
  const library = openCLibrary(SYMBOLS)
  if (library === null) return
  const { pipe, stackFault, fileSize, realTimeFirst, realTimeLast } = SILENT
  const ignore = (number: number) => library.symbols.signal(number, SIG_IGN)
  for (const number of [pipe, stackFault, fileSize]) ignore(number)
  for (let number = realTimeFirst; number <= realTimeLast; number++) ignore(number)
}

/**
 * Cleans up if the process ends before the returned function is called, be it by a signal that nothing
 * else handles. The signal then ends the process as it would have.
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
