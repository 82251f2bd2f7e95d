// Goal: a ticket opens one stream, soon, for the user that it was issued for. Method: a clock and
// texts of the test.

import { expect, test } from 'bun:test'
import { identityLimits } from '../core/identity-limits.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { Tickets } from './tickets.ts'

const ALICE = { user: 'alice', read: ['news'], ttlSeconds: 600 }

function ticketsFor() {
  const clock = new FakeClock()
  let made = 0
  const tickets = new Tickets({ clock, random: () => `ticket-${made++}` })
  return { clock, tickets, nowSeconds: Math.floor(clock.nowMs() / 1_000) }
}

test('a ticket tells whose it is once', () => {
  const { tickets, clock, nowSeconds } = ticketsFor()
  expect(tickets.issue(ALICE)).toEqual({ ticket: 'ticket-0', expiresAtSeconds: nowSeconds + 30 })
  expect(tickets.redeem('ticket-0')).toEqual({
    ...{ user: 'alice', read: ['news'], issuedAtSeconds: clock.nowMs() / 1_000 },
    expiresAtSeconds: nowSeconds + 600,
  })
  expect(tickets.redeem('ticket-0')).toBeNull()
  expect(tickets.redeem('ticket-1')).toBeNull()
})

test('a ticket is worth nothing after thirty seconds', () => {
  const { tickets, clock } = ticketsFor()
  for (let times = 0; times < 2; times++) tickets.issue(ALICE)
  clock.advance(29_999)
  expect(tickets.redeem('ticket-0')).not.toBeNull()
  clock.advance(1)
  expect(tickets.redeem('ticket-1')).toBeNull()
})

test('no more are issued than may be open, until old ones are forgotten', () => {
  const { tickets, clock } = ticketsFor()
  for (let made = 0; made < identityLimits.ticketsMax; made++) tickets.issue(ALICE)
  expect(tickets.issue(ALICE)).toBeNull()
  clock.advance(30_000)
  expect(tickets.issue(ALICE)).not.toBeNull()
})
