// What a silence in which streams were lost is reported as; one in which none was has no flaw.

import { expect, test } from 'bun:test'
import { closedBetween, silenceFlaw } from './run.ts'

const HELD = { seconds: 300, openBefore: 1_000, openAfter: 1_000, serverCores: 0, floodCores: 0 }

test('a silence in which all streams stayed open has no flaw', () => {
  expect(silenceFlaw({ ...HELD, closed: { client: 0, lost: 0 } })).toBeNull()
})

test('streams that ended fail it with their number and reason, also if others came', () => {
  const closed = closedBetween({ client: 1 }, { client: 3, lost: 0 })
  expect(closed).toEqual({ client: 2, lost: 0 })
  expect(silenceFlaw({ ...HELD, closed })).toBe(
    '1,000 of 1,000 streams are open after 300 s of silence; closed: 2 client',
  )
  expect(silenceFlaw({ ...HELD, openAfter: 999, closed: {} })).toContain('999 of 1,000 streams')
})
