// Version, commit and platform of this executable.

import packageJson from '../../package.json'

/** Defined by scripts/build.ts; from source there is no commit. */
declare const COMET_BUILD_COMMIT: string

export const build = {
  version: packageJson.version,
  commit: typeof COMET_BUILD_COMMIT === 'string' ? COMET_BUILD_COMMIT : 'source',
  platform: `${process.platform}-${process.arch}`,
}

/** `comet 0.2.0 (1a2b3c4, linux-x64)` */
export function versionLine(): string {
  return `comet ${build.version} (${build.commit}, ${build.platform})`
}
