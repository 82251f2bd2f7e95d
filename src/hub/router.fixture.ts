// A router for tests, with what a test does not name made up.

import { systemClock } from '../core/clock.ts'
import { LocalBus } from '../log/local-bus.ts'
import type { MessageLog } from '../log/message-log.ts'
import { FollowIndex } from '../subscriptions/follow-index.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import { ArrayLog } from './array-log.fixture.ts'
import { Dispatcher } from './dispatcher.ts'
import type { Outlet } from './outlet.ts'
import { PublicationKeys } from './publication-keys.ts'
import { Router, type RouterOptions } from './router.ts'
import { settingsOf } from './settings.fixture.ts'

/** Of the first message of such a router. */
export const FIRST_ID = '019ad3f0c2a1-000000000001'

/** What a test may name. */
export interface TestRouterOptions extends Partial<RouterOptions> {
  readonly log?: MessageLog
  readonly followers?: Followers
}

export function routerOptions(outlet: Outlet, options: TestRouterOptions = {}): RouterOptions {
  const { log = new ArrayLog(), followers = new FollowIndex(), ...others } = options
  const dispatcher = new Dispatcher({ followers })
  dispatcher.open(outlet)
  return {
    outlet,
    settings: settingsOf(),
    names: new NameTable({ seed: 1 }),
    bus: new LocalBus(log, dispatcher),
    keys: new PublicationKeys({ log, clock: systemClock }),
    ...others,
  }
}

export function routerOf(
  outlet: Outlet,
  followers: Followers = new FollowIndex(),
  settings: RouterOptions['settings'] = settingsOf(),
): Router {
  return new Router(routerOptions(outlet, { followers, settings }))
}
