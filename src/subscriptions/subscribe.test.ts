// Goal: a subscription is added once, and only if the rules allow it. Method: a store in memory.

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { openStores } from './model.fixture.ts'
import type { Stores } from './stores.ts'
import { subscribe } from './subscribe.ts'
import type { Subscriptions } from './subscriptions.ts'

const RULES = { userIdMax: 1_000, perUserMax: 3 }

describe('subscribe', () => {
  let stores: Stores
  let store: Subscriptions

  beforeEach(() => {
    stores = openStores()
    store = stores.subscriptions
  })
  afterEach(() => store.close())

  test('returns whether the subscription is new', async () => {
    expect(await subscribe(stores, RULES, 1, 2)).toEqual({ ok: true, value: true })
    expect(await subscribe(stores, RULES, 1, 2)).toEqual({ ok: true, value: false })
    expect(await subscribe(stores, RULES, 2, 1)).toEqual({ ok: true, value: true })
    expect(store.counts()).toEqual({ subscriptions: 2, subjects: 2 })
  })

  test('refuses to let a user follow itself', async () => {
    expect(await subscribe(stores, RULES, 5, 5)).toMatchObject({
      ok: false,
      why: { code: 'subscription_to_self' },
    })
    expect(store.counts().subscriptions).toBe(0)
  })

  test('refuses more than the maximum, but not a subscription that exists', async () => {
    for (const subject of [2, 3, 4])
      expect((await subscribe(stores, RULES, 1, subject)).ok).toBe(true)
    expect(await subscribe(stores, RULES, 1, 5)).toMatchObject({
      ok: false,
      why: { code: 'subscription_limit', message: expect.stringContaining('follows 3 others') },
    })
    expect(await subscribe(stores, RULES, 1, 4)).toEqual({ ok: true, value: false })
    expect(await subscribe(stores, RULES, 2, 5)).toEqual({ ok: true, value: true })
    await store.remove(Uint32Array.of(1, 2))
    expect(await subscribe(stores, RULES, 1, 5)).toEqual({ ok: true, value: true })
    expect(store.countOf(1, 100)).toBe(3)
  })
})
