// What the conformance suite of Durable Streams imports from Vitest, made of Bun's own test runner:
// package.json overrides it, so that ninety packages are not installed for four functions. Tests
// that do not apply are skipped.

import { describe as describeOfBun, expect, test as testOfBun } from 'bun:test'

export { expect }

/** Why a test is skipped, by its name behind those of the groups around it; null if it is run. */
type WhyNot = (name: string) => string | null

let whyNot: WhyNot = () => null
let groups: readonly string[] = []

/** Called before the suite declares its tests. */
export function skipTests(by: WhyNot): void {
  whyNot = by
}

export const describe = Object.assign(
  (name: string, body: () => void) => {
    const within = [...groups, name]
    // It is called once the group around it has been.
    describeOfBun(name, () => {
      groups = within
      body()
      groups = []
    })
  },
  { runIf: (isRun: boolean | undefined) => (isRun === true ? describe : () => undefined) },
)

function declare(name: string, body: () => unknown, ms?: number): void {
  const reason = whyNot([...groups, name].join(' > '))
  // What does not apply is in the report, too, with the reason behind its name.
  const title = reason === null ? name : `${name} (${reason})`
  testOfBun.skipIf(reason !== null)(title, body as () => void, ms)
}

export const test = Object.assign(declare, { concurrent: declare })

/** Of what needs it no test applies. */
export const vi = {}
