// A router for tests, with what a test does not name made up.

import { FollowIndex } from '../subscriptions/follow-index.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import type { Followers } from '../subscriptions/subscriptions.ts'
import { ArrayLog } from './array-log.fixture.ts'
import type { Outlet } from './outlet.ts'
import { Router, type RouterOptions } from './router.ts'
import { settingsOf } from './settings.fixture.ts'

/** Of the first message of such a router. */
export const FIRST_ID = '019ad3f0c2a1-000000000001'

export function routerOptions(outlet: Outlet, others: Partial<RouterOptions> = {}): RouterOptions {
  return {
    outlet,
    followers: new FollowIndex(),
    settings: settingsOf(),
    names: new NameTable({ seed: 1 }),
    log: new ArrayLog(),
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
