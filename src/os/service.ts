// What the service manager is told of this server: that it is ready, that it lives, what it holds, that
// it stops and needs time for it (sd_notify(3), systemd.service(5)). How it is told is machine/notify.ts.

import { serviceLimits } from '../core/limits.ts'
import { formatCount } from '../core/units.ts'
import { type Notify, notifier } from './notify.ts'

type Environment = Record<string, string | undefined>

/** Takes what is for this process alone out of its environment; null if nobody manages it. */
export function openService(environment: Environment, pid: number): Service | null {
  const { NOTIFY_SOCKET: path = '', WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = environment
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name]
  const notify = notifier(path)
  if (notify === null) return null
  const isWatched = watched === undefined || Number(watched) === pid
  const watchdogMs = isWatched && Number(usec) > 0 ? Number(usec) / 1000 : null
  return new Service(notify, watchdogMs)
}

/** Its timers run until the process ends. */
export class Service {
  readonly #notify: Notify
  readonly #watchdogMs: number | null

  /** @param watchdogMs within which a sign of life is wanted; null if none is */
  constructor(notify: Notify, watchdogMs: number | null) {
    this.#notify = notify
    this.#watchdogMs = watchdogMs
  }

  /** Both ports are open. Tells from now on that the loop turns, and how many streams there are. */
  ready(where: string, streams: () => Promise<number>): void {
    this.#notify({ READY: 1, STATUS: where })
    setInterval(async () => {
      this.#notify({ STATUS: `${formatCount(await streams())} streams. ${where}` })
    }, serviceLimits.statusEveryMs)
    if (this.#watchdogMs === null) return
    // Twice as often as it is wanted, as systemd.service(5) asks.
    setInterval(() => this.#notify({ WATCHDOG: 1 }), this.#watchdogMs / 2)
  }

  /** Streams are being ended, however long that takes. */
  stopping(): void {
    const extend = () => {
      // In microseconds from now.
      this.#notify({ STOPPING: 1, EXTEND_TIMEOUT_USEC: serviceLimits.extendMs * 1000 })
    }
    extend()
    setInterval(extend, serviceLimits.extendMs / 3)
  }
}
