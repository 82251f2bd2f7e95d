// What a command has of the world: standard output and error, whether a person reads them, and
// signals. A command is given one, so that it never exits the process itself.

import { LineOutput } from '../os/output.ts'
import { ignoreStrays } from '../os/signals.ts'
import { StandardOutput } from './output.ts'
import type { Render } from './screen.ts'
import { canColor, canDraw, type OpenBlock, openBlock } from './terminal.ts'

const STANDARD_ERROR = 2

export type StopSignal = 'SIGINT' | 'SIGTERM'

export interface Io {
  /** Data, on standard output. */
  stdout(text: string): void
  /**
   * Data too large for one text; settles when it has been passed on, and the bytes are free again.
   * Rejects with an `OutputError` if they could not be.
   */
  stdoutBytes(data: Uint8Array): Promise<void>
  /** Messages, on standard error. */
  stderr(text: string): void
  /**
   * A line on standard error, written at once or not at all, without waiting for its reader.
   *
   * @returns whether it is written
   */
  logLine(text: string): boolean
  readonly stderrIsTerminal: boolean
  readonly stderrHasColor: boolean
  /** Lines that stay below all words and are drawn in place; null where nothing can be drawn. */
  openLive(): LiveLines | null
  /**
   * Told of errors that nobody caught. Without it they end the process; a server that holds a
   * million streams writes them down and goes on.
   */
  onUncaught(handler: (error: unknown) => void): void
  /** Told of each SIGHUP; without it one ends the process. */
  onHangup(handler: () => void): void
  /** Told of each signal that would end the process and means nothing; without it one does. */
  onIgnoredSignal(handler: (signal: string) => void): void
  /** Settles at the next stop signal; once somebody waits for one, it does not end the process. */
  nextSignal(): Promise<StopSignal>
}

/** One at a time. */
export interface LiveLines {
  /** Takes the place of the lines before. */
  draw(render: Render): void
  close(): void
}

/** The exit code of a process that a signal ended at once: 128 and the signal's number. */
export function signalExitCode(signal: StopSignal): number {
  return signal === 'SIGINT' ? 130 : 143
}

export interface ProcessIo extends Io {
  readonly output: StandardOutput
}

export function processIo(): ProcessIo {
  const output = new StandardOutput()
  let open: OpenBlock | null = null
  let lines: LineOutput | null = null
  return {
    output,
    stdout: (text) => output.text(text),
    stdoutBytes: (data) => output.bytes(data),
    stderr: (text) => {
      if (open !== null) open.words(text)
      else process.stderr.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    logLine: (text) => {
      lines ??= new LineOutput(STANDARD_ERROR)
      return lines.line(text)
    },
    stderrIsTerminal: process.stderr.isTTY === true,
    stderrHasColor: canColor(),
    openLive: () => {
      if (!canDraw()) return null
      const opened = openBlock()
      open = opened
      return {
        draw: (render) => opened.draw(render),
        close: () => {
          opened.close()
          open = null
        },
      }
    },
    onUncaught: (handler) => {
      process.on('uncaughtException', handler)
      process.on('unhandledRejection', handler)
    },
    onHangup: (handler) => {
      process.on('SIGHUP', handler)
    },
    onIgnoredSignal: ignoreStrays,
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
