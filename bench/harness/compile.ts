// Builds the programs that are measured beside comet: those in C, and those in TypeScript in the
// same way as the product. It runs none of them.

import { withTimeout } from '../../src/core/deadline.ts'

/** Milliseconds for one program. */
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
