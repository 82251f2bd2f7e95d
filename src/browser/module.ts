// The built module, as text. Run as a macro: when what serves it is built, so that the executable
// holds the result.

export interface BuiltModule {
  readonly text: string
  readonly hash: string
}

/** A macro may not run the bundler in its process. */
export function builtModule(): BuiltModule {
  const command = [process.execPath, 'build', `${import.meta.dir}/comet.ts`]
  const built = Bun.spawnSync([...command, '--target=browser', '--format=esm', '--minify'])
  if (!built.success) throw new Error(`comet.js was not built: ${built.stderr.toString()}`)
  const text = built.stdout.toString()
  const hash = new Bun.CryptoHasher('sha256').update(text).digest('base64url')
  return { text, hash: hash.slice(0, 22) }
}
