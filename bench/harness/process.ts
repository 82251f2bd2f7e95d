// Programs of a bench: builds those that are measured beside comet, in C, or in TypeScript as the
// product is, and runs all of them.

import { type ChildOptions, ChildProcess } from '../../scripts/support/child-process.ts'
import { withTimeout } from '../../src/core/deadline.ts'

/**
 * Milliseconds that a program may run: longer than the longest soak. Each wait for it is shorter.
 */
const RUN_MS_MAX = 8 * 86_400_000

/** Milliseconds to compile one program. */
const COMPILE_MS_MAX = 120_000

const CFLAGS = ['-O2', '-Wall', '-Wextra']

/** @param libraries are linked, like `event` */
export async function compileC(
  cc: string,
  source: string,
  outfile: string,
  libraries: readonly string[] = [],
): Promise<void> {
  const linked = libraries.map((name) => `-l${name}`)
  const child = Bun.spawn([cc, ...CFLAGS, '-o', outfile, source, ...linked], {
    stderr: 'pipe',
    timeout: COMPILE_MS_MAX,
  })
  const ended = Promise.all([child.exited, child.stderr.text()])
  const [code, words] = await withTimeout(`${source} to be compiled`, ended, COMPILE_MS_MAX)
  if (code !== 0) throw new Error(words)
}

/** As scripts/build.ts builds the product; anything else would compare another program. */
export async function compileBun(source: string, outfile: string): Promise<void> {
  const building = Bun.build({
    entrypoints: [source],
    format: 'esm',
    bytecode: true,
    minify: { whitespace: true, syntax: true, identifiers: false },
    define: { 'process.env.NODE_ENV': '"production"' },
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  })
  const result = await withTimeout(`${source} to be compiled`, building, COMPILE_MS_MAX)
  if (!result.success) throw new Error(result.logs.join('\n'))
}

/** Starts a program, which is killed with all of its children however the bench ends. */
export function startProgram(
  name: string,
  command: readonly string[],
  options: ChildOptions = {},
): ChildProcess {
  const standard = { name, killsDescendants: true, timeoutMs: RUN_MS_MAX }
  return new ChildProcess(command, { ...standard, ...options })
}

/** Reads the number behind a word that a program's line begins with, as `listening 8000`. */
export function numberAfter(word: string): (line: string) => number | undefined {
  return (line) => (line.startsWith(`${word} `) ? Number(line.slice(word.length + 1)) : undefined)
}
