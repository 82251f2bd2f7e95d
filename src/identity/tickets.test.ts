// Goal: a ticket opens one stream, soon, for the user that it was issued for. Method: a clock and
// texts of the test.

import { expect, test } from 'bun:test'
import { identityLimits } from '../core/identity-limits.ts'
import { refused, success } from '../core/result.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { Tickets } from './tickets.ts'

const ALICE = { user: 'alice', read: ['news'], ttlSeconds: 600 }

function ticketsFor() {
  const clock = new FakeClock()
  let made = 0
  const tickets = new Tickets({ clock, random: () => `ticket-${made++}` })
  return { clock, tickets, nowSeconds: Math.floor(clock.nowMs() / 1_000) }
}

test('a ticket tells whose it is once', async () => {
  const { tickets, clock, nowSeconds } = ticketsFor()
  const issued = { ticket: 'ticket-0', expiresAtSeconds: nowSeconds + 30 }
  expect(await tickets.issue(ALICE)).toEqual(success(issued))
  const identity = {
    ...{ user: 'alice', read: ['news'], issuedAtSeconds: clock.nowMs() / 1_000 },
    expiresAtSeconds: nowSeconds + 600,
  }
  expect(await tickets.redeem('ticket-0')).toEqual(success(identity))
  expect(await tickets.redeem('ticket-0')).toEqual(refused('ticket'))
  expect(await tickets.redeem('ticket-1')).toEqual(refused('ticket'))
})

test('a ticket is worth nothing after thirty seconds', async () => {
  const { tickets, clock } = ticketsFor()
  for (let times = 0; times < 2; times++) await tickets.issue(ALICE)
  clock.advance(29_999)
  expect((await tickets.redeem('ticket-0')).ok).toBe(true)
  clock.advance(1)
  expect(await tickets.redeem('ticket-1')).toEqual(refused('ticket'))
})

test('no more are issued than may be open, until old ones are forgotten', async () => {
  const { tickets, clock } = ticketsFor()
  for (let made = 0; made < identityLimits.ticketsMax; made++) await tickets.issue(ALICE)
  expect(await tickets.issue(ALICE)).toMatchObject({ why: { code: 'too_many_tickets' } })
  clock.advance(30_000)
  expect((await tickets.issue(ALICE)).ok).toBe(true)
})
