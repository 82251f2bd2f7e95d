// A command on a pseudo-terminal whose screen can be looked at.

import { FakeTerminal } from './terminal.fixture.ts'

export interface OnTerminal extends AsyncDisposable {
  readonly process: Bun.Subprocess
  /** All that is on the screen and above it, as a person would see it. */
  screen(): FakeTerminal
  /** All that was written, with its codes. */
  raw(): string
  resize(columns: number, rows: number): void
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Killed at the end of the scope. */
export function startOnTerminal(
  command: readonly string[],
  { columns, rows }: Size,
  env: Record<string, string> = {},
): OnTerminal {
  const decoder = new TextDecoder()
  const parts: (string | Size)[] = []
  const { NO_COLOR: _, ...inherited } = process.env
  // Made by the spawn itself, it is the terminal that controls the process: it reports a new size.
  const child = Bun.spawn([...command], {
    terminal: {
      cols: columns,
      rows,
      data: (_, bytes) => {
        parts.push(decoder.decode(bytes, { stream: true }))
      },
    },
    // As in screen(1), the rows stay as they are: whatever terminal the tests are run on.
    env: { ...inherited, TERM: 'xterm-256color', STY: 'test', ...env },
  })
  return {
    process: child,
    screen: () => replayed({ columns, rows }, parts),
    raw: () => parts.filter((part) => typeof part === 'string').join(''),
    resize: (newColumns, newRows) => {
      parts.push({ columns: newColumns, rows: newRows })
      child.terminal?.resize(newColumns, newRows)
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
      child.terminal?.close()
    },
  }
}

function replayed({ columns, rows }: Size, parts: readonly (string | Size)[]): FakeTerminal {
  const screen = new FakeTerminal(columns, rows)
  for (const part of parts) {
    if (typeof part === 'string') screen.write(part)
    else screen.resize(part.columns, part.rows)
  }
  return screen
}
