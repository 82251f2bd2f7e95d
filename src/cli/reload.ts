// SIGHUP: reads the options of a running server again, lets it go by those that may change, and says
// what is another value now, what takes a new start, and what is wrong.

import type { Log } from '../core/log.ts'
import type { GivenAs } from './command.ts'
import { RANK_FILE, type Setting, type Settings } from './settings.ts'

/** Options that a running server can go by another value of. */
const CHANGEABLE: ReadonlySet<string> = new Set([
  ...['control-token-file', 'control-host', 'control-origin', 'body-timeout'],
  ...['tls-cert', 'tls-key', 'drain', 'drain-grace'],
  ...['max-users', 'max-subscriptions-per-user', 'outbox'],
  ...['max-streams-per-address', 'max-new-streams', 'trusted-proxy', 'forwarded-header'],
])

/** Of these, those that must have a value then if they had one, and none if they had none. */
const ALIKE: ReadonlySet<string> = new Set([
  ...['control-token-file', 'tls-cert', 'tls-key'],
  // Streams that were opened while nobody counted would not count.
  'max-streams-per-address',
])

export class Reload {
  readonly #log: Log
  readonly #again: GivenAs['again']
  readonly #apply: (settings: Settings) => string | null
  /** What holds now. */
  #settings: Settings

  /** @param apply has the server go by other settings; answers why it does not, or null */
  constructor(
    { settings, again }: GivenAs,
    log: Log,
    apply: (settings: Settings) => string | null,
  ) {
    this.#settings = settings
    this.#again = again
    this.#log = log
    this.#apply = apply
  }

  now(): void {
    const read = this.#again()
    if (!read.ok) {
      for (const why of read.why) this.#failed(why)
      return
    }
    const before = this.#settings
    if (hasFile(before) && !hasFile(read.settings)) {
      // As it is for a moment while somebody writes it.
      this.#failed('the file has no options any more; a new start would go by that')
      return
    }
    const changed = Object.keys(before).filter((name) => differs(before[name], read.settings[name]))
    const may = changed.filter((name) => mayChange(name, before[name], read.settings[name]))
    const next = { ...before }
    for (const name of may) next[name] = read.settings[name] as Setting
    const why = this.#apply(next)
    if (why !== null) {
      this.#failed(why)
      return
    }
    this.#settings = next
    for (const name of changed) {
      const [was, is] = [written(before[name]), written(read.settings[name])]
      if (may.includes(name)) {
        this.#log.info('reloaded', `${name} is ${is} now; it was ${was}.`, { option: name })
      } else {
        const text = `${name} is ${was} and stays so: ${is} takes a new start.`
        this.#log.warn('not_reloaded', text, { option: name })
      }
    }
    if (changed.length === 0) this.#log.info('reloaded', NOTHING_ELSE)
  }

  #failed(why: string): void {
    this.#log.error('reload_failed', `Nothing has changed: ${why.replace(/\.$/, '')}.`)
  }
}

const NOTHING_ELSE = 'Options are as they were; token and certificate were read again.'

function hasFile(settings: Settings): boolean {
  return Object.values(settings).some(({ rank }) => rank === RANK_FILE)
}

function differs(before: Setting | undefined, after: Setting | undefined): boolean {
  return !Bun.deepEquals(before?.value, after?.value)
}

function mayChange(name: string, before: Setting | undefined, after: Setting | undefined): boolean {
  if (!CHANGEABLE.has(name)) return false
  return !ALIKE.has(name) || (before?.value === null) === (after?.value === null)
}

function written(setting: Setting | undefined): string {
  const is = setting?.written ?? null
  return is === null || (Array.isArray(is) && is.length === 0) ? 'not set' : String(is)
}
