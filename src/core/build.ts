// What this executable was made from. The build writes the commit in; from source there is none.

import packageJson from '../../package.json'

/** Put in its place by scripts/build.ts. */
declare const COMET_BUILD_COMMIT: string

export const build = {
  version: packageJson.version,
  commit: typeof COMET_BUILD_COMMIT === 'string' ? COMET_BUILD_COMMIT : 'source',
  platform: `${process.platform}-${process.arch}`,
}

/** `comet 0.1.0 (1a2b3c4, linux-x64)` */
export function versionLine(): string {
  return `comet ${build.version} (${build.commit}, ${build.platform})`
}
