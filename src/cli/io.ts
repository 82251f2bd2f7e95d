// What a command has of the world: standard output and error, whether a person reads them, and
// signals. A command is given one, so that it never exits the process itself.

export type StopSignal = 'SIGINT' | 'SIGTERM'

export interface Io {
  /** Data, on standard output. */
  out(text: string): void
  /** Data too large for one text; settles when it has been passed on, and the bytes are free again. */
  bytes(data: Uint8Array): Promise<void>
  /** Words, on standard error. */
  words(text: string): void
  readonly wordsAreRead: boolean
  /**
   * Told of errors that nobody caught. Without it they end the process; a server that holds a
   * million streams writes them down and goes on.
   */
  onUncaught(handler: (error: unknown) => void): void
  /** Settles at the next stop signal; once somebody waits for one, it does not end the process. */
  nextSignal(): Promise<StopSignal>
}

/** The exit code of a process that a signal ended at once: 128 and the signal's number. */
export function signalExitCode(signal: StopSignal): number {
  return signal === 'SIGINT' ? 130 : 143
}

export function processIo(): Io {
  return {
    out: (text) => {
      process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    bytes: (data) => new Promise((resolve) => process.stdout.write(data, () => resolve())),
    words: (text) => {
      process.stderr.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    wordsAreRead: process.stderr.isTTY === true,
    onUncaught: (handler) => {
      process.on('uncaughtException', handler)
      process.on('unhandledRejection', handler)
    },
    nextSignal: () =>
      new Promise((resolve) => {
        const settle = (signal: StopSignal) => () => {
          process.off('SIGINT', onInterrupt)
          process.off('SIGTERM', onTerminate)
          resolve(signal)
        }
        const onInterrupt = settle('SIGINT')
        const onTerminate = settle('SIGTERM')
        process.on('SIGINT', onInterrupt)
        process.on('SIGTERM', onTerminate)
      }),
  }
}
