// The part of CycloneDX 1.6 that comet's list uses, as strict as the specification has it: no
// property that it does not know, its words, its patterns, references that lead somewhere. For
// release.test.ts.

import { type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

const oneOf = (...words: string[]) => Type.Union(words.map((word) => Type.Literal(word)))

const strict = { additionalProperties: false }

const Ref = Type.String({ minLength: 1 })

const Licenses = Type.Union([
  Type.Array(
    Type.Object(
      {
        license: Type.Union([
          Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9.+-]+$' }) }, strict),
          Type.Object({ name: Type.String() }, strict),
        ]),
      },
      strict,
    ),
  ),
  Type.Tuple([Type.Object({ expression: Type.String({ pattern: ' (AND|OR|WITH) ' }) }, strict)]),
])

const Hash = Type.Union([
  Type.Object(
    { alg: Type.Literal('SHA-256'), content: Type.String({ pattern: '^[a-f0-9]{64}$' }) },
    strict,
  ),
  Type.Object(
    { alg: Type.Literal('SHA-512'), content: Type.String({ pattern: '^[a-f0-9]{128}$' }) },
    strict,
  ),
])

const component = (parts?: TSchema) =>
  Type.Object(
    {
      type: oneOf('application', 'framework', 'library', 'platform', 'file'),
      'bom-ref': Type.Optional(Ref),
      group: Type.Optional(Type.String()),
      name: Type.String({ minLength: 1 }),
      version: Type.Optional(Type.String()),
      description: Type.Optional(Type.String()),
      scope: Type.Optional(oneOf('required', 'optional', 'excluded')),
      hashes: Type.Optional(Type.Array(Hash)),
      licenses: Type.Optional(Licenses),
      purl: Type.Optional(
        Type.String({ pattern: '^pkg:npm/(%40[^/@]+/)?[^/@]+@\\d+\\.\\d+\\.\\d+$' }),
      ),
      properties: Type.Optional(
        Type.Array(Type.Object({ name: Type.String(), value: Type.String() }, strict)),
      ),
      ...(parts === undefined ? {} : { components: Type.Optional(Type.Array(parts)) }),
    },
    strict,
  )

const Part = component()

const Component = component(Part)

const Bom = Type.Object(
  {
    bomFormat: Type.Literal('CycloneDX'),
    specVersion: Type.Literal('1.6'),
    serialNumber: Type.String({
      pattern: '^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$',
    }),
    version: Type.Integer({ minimum: 1 }),
    metadata: Type.Object(
      {
        timestamp: Type.String({
          pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
        }),
        component: Component,
      },
      strict,
    ),
    components: Type.Array(Component),
    dependencies: Type.Array(
      Type.Object({ ref: Ref, dependsOn: Type.Optional(Type.Array(Ref)) }, strict),
    ),
  },
  strict,
)

interface Named {
  readonly 'bom-ref'?: string
  readonly group?: string
  readonly name: string
  readonly version?: string
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  readonly components?: readonly Named[]
}

export interface ReadBom {
  readonly metadata: { readonly component: Named }
  readonly components: readonly Named[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[]
}

/** Throws, saying where, unless the text is a list as it is to be. */
export function readBom(text: string): ReadBom {
  const value: unknown = JSON.parse(text)
  const [wrong] = Value.Errors(Bom, value)
  if (wrong !== undefined) throw new Error(`${wrong.path}: ${wrong.message}`)
  const bom = value as ReadBom
  const all = [bom.metadata.component, ...bom.components]
  const parts = all.flatMap(({ components = [] }) => components)
  const refs = [...all, ...parts].flatMap(({ 'bom-ref': ref }) => (ref === undefined ? [] : [ref]))
  if (new Set(refs).size !== refs.length) throw new Error('two components have the same reference')
  for (const { ref, dependsOn = [] } of bom.dependencies) {
    for (const one of [ref, ...dependsOn]) {
      if (!refs.includes(one)) throw new Error(`${one} is referred to, and nowhere`)
    }
  }
  return bom
}
