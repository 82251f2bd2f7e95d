// Goal: tokens from before a revocation count no longer, later ones do, and a restart changes
// nothing. Method: real databases, in memory and in a file.

import { expect, test } from 'bun:test'
import { folderOfTests } from '../../scripts/support/folder.ts'
import { openDatabase } from './database.ts'
import { NameTable } from './name-table.ts'
import { storesOf } from './stores.ts'

function opened(path = ':memory:') {
  const names = new NameTable({ seed: 1 })
  const database = openDatabase(path, names)
  if (!database.ok) throw new Error(database.why)
  const { revocations } = storesOf(database.value, names)
  return { names, revocations, [Symbol.dispose]: () => database.value.close(true) }
}

const folder = folderOfTests()

test('tokens that were issued until a revocation are revoked, of that user alone', async () => {
  using at = opened()
  await at.revocations.revoke(7, 1_000_900.5)
  const isRevoked = (user: number, issuedAtSeconds: number | null) =>
    at.revocations.isRevoked(user, issuedAtSeconds)
  expect([isRevoked(7, 999), isRevoked(7, 1_000), isRevoked(7, 1_001)]).toEqual([true, true, false])
  expect([isRevoked(7, 1_000.9), isRevoked(7, 1_000.95)]).toEqual([true, false])
  expect([isRevoked(7, null), isRevoked(8, 1), isRevoked(8, null)]).toEqual([true, false, false])
})

test('a later revocation counts, and an earlier one takes nothing back', async () => {
  using at = opened()
  for (const atMs of [1_000_000, 3_000_000, 2_000_000]) await at.revocations.revoke(7, atMs)
  expect(at.revocations.isRevoked(7, 3_000)).toBe(true)
  expect(at.revocations.isRevoked(7, 3_001)).toBe(false)
})

test('what was revoked stays so after a restart', async () => {
  const path = `${folder}/revoked.db`
  {
    using at = opened(path)
    await at.revocations.revoke(2_000_000_000, 1_000_000)
  }
  using again = opened(path)
  expect(again.revocations.isRevoked(2_000_000_000, 1_000)).toBe(true)
})
