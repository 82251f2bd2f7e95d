// The list of what a release is made of, as CycloneDX 1.6 has it: the packages in the executables,
// Bun with what is linked into it, and the executables with their checksums. It follows from its
// arguments.

import packageJson from '../../package.json'
import type { Package } from './packages.ts'

export interface Contents {
  readonly packages: readonly Package[]
  readonly executables: readonly { readonly name: string; readonly sha256: string }[]
  readonly commit: string
  /** When the commit was made, in seconds since 1970. */
  readonly seconds: number
}

const COMET = `${packageJson.name}@${packageJson.version}`

const BUN = `bun@${Bun.version}`

export function sbomOf({ packages, executables, commit, seconds }: Contents): object {
  const refs = new Map(packages.map(({ name, version }) => [name, `${name}@${version}`]))
  const refsOf = (names: readonly string[]) => names.map((name) => refs.get(name) ?? name)
  const contents = {
    metadata: {
      timestamp: new Date(seconds * 1_000).toISOString(),
      component: {
        type: 'application',
        'bom-ref': COMET,
        name: packageJson.name,
        version: packageJson.version,
        description: packageJson.description,
        ...licensed(packageJson.license),
        properties: [{ name: 'comet:commit', value: commit }],
        components: executables.map(({ name, sha256 }) => ({
          type: 'file',
          'bom-ref': `file:${name}`,
          name,
          hashes: [{ alg: 'SHA-256', content: sha256 }],
        })),
      },
    },
    components: [bun(), ...packages.map(componentOf)],
    dependencies: [
      { ref: COMET, dependsOn: [BUN, ...refsOf(Object.keys(packageJson.dependencies))].sort() },
      { ref: BUN },
      ...packages.map(({ name, dependencies }) => ({
        ref: refs.get(name),
        ...(dependencies.length > 0 ? { dependsOn: refsOf(dependencies) } : {}),
      })),
    ],
  }
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    // Of the contents, so that the same release has the same number.
    serialNumber: `urn:uuid:${Bun.randomUUIDv5(JSON.stringify(contents), 'oid')}`,
    version: 1,
    ...contents,
  }
}

function componentOf({ name, version, integrity, license }: Package) {
  return {
    type: 'library',
    'bom-ref': `${name}@${version}`,
    ...named(name),
    version,
    scope: 'required',
    hashes: [hashOf(integrity)],
    ...licensed(license),
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
  }
}

/** A scope is a group of its own. */
function named(name: string): { group?: string; name: string } {
  const [group, rest] = name.split('/')
  return rest === undefined || group === undefined ? { name } : { group, name: rest }
}

function hashOf(integrity: string): { alg: string; content: string } {
  const [, digest] = /^sha512-(.+)$/.exec(integrity) ?? []
  if (digest === undefined) throw new Error(`an integrity of another kind: ${integrity}`)
  return { alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }
}

/** One licence by its identifier, several as an expression. */
function licensed(license: string) {
  const isOne = /^[\w.+-]+$/.test(license)
  return { licenses: [isOne ? { license: { id: license } } : { expression: license }] }
}

/** Versions of Node.js that Bun stands in for, and its own. */
const NO_LIBRARIES = new Set(['bun', 'node', 'v8', 'uv', 'napi', 'modules', 'unicode', 'openssl'])

/** The runtime, which is most of each executable; what it is made of has commits for versions. */
function bun() {
  const libraries = Object.entries(process.versions).flatMap(([name, version = '']) => {
    if (NO_LIBRARIES.has(name)) return []
    // As Bun's own licence puts it: JavaScriptCore is linked into it.
    const licenses = name === 'webkit' ? { licenses: [{ license: { name: 'LGPL-2' } }] } : {}
    return [{ type: 'library', name, version, ...licenses }]
  })
  return {
    type: 'platform',
    'bom-ref': BUN,
    name: 'bun',
    version: Bun.version,
    scope: 'required',
    ...licensed('MIT'),
    purl: `pkg:npm/bun@${Bun.version}`,
    properties: [{ name: 'bun:revision', value: Bun.revision }],
    components: libraries,
  }
}
