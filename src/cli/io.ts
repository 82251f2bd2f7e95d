// Standard output and error, and signals, as a command gets them, so that it never touches the
// process itself.

import { LineOutput } from '../os/line-output.ts'
import { ignoreStrays } from '../os/process.ts'
import { StandardOutput } from './output.ts'
import { bold, canColor, canDraw, type OpenBlock, openBlock, type Render } from './terminal.ts'

const STANDARD_ERROR = 2

/** What messages begin with. */
const SPEAKER = /^comet( [a-z-]+)*:/gm

export type StopSignal = 'SIGINT' | 'SIGTERM'

export interface Io {
  /** Data, on standard output. */
  stdout(text: string): void
  /**
   * Data on standard output that is too large for one text; settles when it has been passed on, and
   * the buffer may be used again. Rejects with an `OutputError` if it could not be written.
   */
  stdoutBytes(data: Uint8Array): Promise<void>
  /** Messages, on standard error. */
  stderr(text: string): void
  /**
   * A line on standard error, written at once or dropped, without waiting for its reader.
   *
   * @returns whether it was written
   */
  logLine(text: string): boolean
  readonly stderrIsTerminal: boolean
  readonly stderrHasColor: boolean
  readonly stdoutHasColor: boolean
  /** Lines that stay below all messages and are drawn in place; null where nothing can be drawn. */
  openLive(): LiveLines | null
  /**
   * Called with each uncaught error. Without a handler one ends the process; a server that holds a
   * million streams logs it and goes on.
   */
  onUncaught(handler: (error: unknown) => void): void
  /** Called at each SIGHUP; without a handler one ends the process. */
  onHangup(handler: () => void): void
  /** Called at each signal that has no meaning here; without a handler one ends the process. */
  onIgnoredSignal(handler: (signal: string) => void): void
  /** Settles at the next stop signal, which does not end the process then. */
  nextSignal(): Promise<StopSignal>
}

/** Only one may be open. */
export interface LiveLines {
  /** Replaces the lines before. */
  draw(render: Render): void
  close(): void
}

/** The exit code of a process that a signal ended: 128 and the signal's number. */
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
  const hasColor = canColor(process.stderr)
  return {
    output,
    stdout: (text) => output.text(text),
    stdoutBytes: (data) => output.bytes(data),
    stderr: (text) => {
      const shown = hasColor ? text.replaceAll(SPEAKER, bold) : text
      if (open !== null) open.messages(shown)
      else process.stderr.write(shown.endsWith('\n') ? shown : `${shown}\n`)
    },
    logLine: (text) => {
      lines ??= new LineOutput(STANDARD_ERROR)
      return lines.line(text)
    },
    stderrIsTerminal: process.stderr.isTTY === true,
    stderrHasColor: hasColor,
    stdoutHasColor: canColor(process.stdout),
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

/** Progress comes each second on a terminal and less often elsewhere, where its lines pile up. */
const PROGRESS_EVERY_MS = { terminal: 1_000, elsewhere: 10_000 }

/** Writes the line that `line` returns now and then, until the returned function is called. */
export function showProgress(io: Io, line: () => string): () => void {
  const everyMs = io.stderrIsTerminal ? PROGRESS_EVERY_MS.terminal : PROGRESS_EVERY_MS.elsewhere
  const timer = setInterval(() => io.stderr(line()), everyMs)
  return () => clearInterval(timer)
}
