// Goal: what browsers get is small, and has the names that users import. Method: the build itself.

import { expect, test } from 'bun:test'
import { builtModule } from './module.ts'

const BYTES_MAX = 4_096

test('the module takes at most 4 KiB, compressed as gzip -9 does', () => {
  const compressed = Bun.gzipSync(builtModule().text, { level: 9 })
  expect(compressed.length).toBeLessThanOrEqual(BYTES_MAX)
})

test('it is the same each time, has two names, and imports nothing', () => {
  const module = builtModule()
  expect(builtModule()).toEqual(module)
  const { exports, imports } = new Bun.Transpiler().scan(module.text)
  expect([exports.toSorted(), imports]).toEqual([['CometError', 'connect'], []])
})
