// The service manager of this machine, systemd: reports that the server is ready, that it is alive,
// how many streams it has, and that it stops and needs time for it (sd_notify(3),
// systemd.service(5)).

import { ptr } from 'bun:ffi'
import { serviceLimits } from '../core/limits.ts'
import { formatQuantity } from '../core/units.ts'
import { openCLibrary } from './libc.ts'

type Environment = Record<string, string | undefined>

/** Removes what is for this process alone from its environment; null without a service manager. */
export function openService(environment: Environment, pid: number): Service | null {
  const { NOTIFY_SOCKET: path = '', WATCHDOG_USEC: usec, WATCHDOG_PID: watched } = environment
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name]
  const notify = openNotifySocket(path)
  if (notify === null) return null
  const isWatched = watched === undefined || Number(watched) === pid
  const watchdogMs = isWatched && Number(usec) > 0 ? Number(usec) / 1000 : null
  return new Service(notify, watchdogMs)
}

/** Its timers run until the process ends. */
export class Service {
  readonly #notify: Notify
  readonly #watchdogMs: number | null

  /** @param watchdogMs within which a sign of life is due; null if none is */
  constructor(notify: Notify, watchdogMs: number | null) {
    this.#notify = notify
    this.#watchdogMs = watchdogMs
  }

  /**
   * Both ports are open. Reports from now on that the loop runs, and how many streams there are.
   */
  ready(where: string, streams: () => Promise<number>): void {
    this.#notify({ READY: 1, STATUS: where })
    setInterval(async () => {
      this.#notify({ STATUS: `${formatQuantity(await streams(), 'stream')}. ${where}` })
    }, serviceLimits.statusEveryMs)
    if (this.#watchdogMs === null) return
    // Twice as often as due, as systemd.service(5) asks.
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

const SYMBOLS = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i64' },
} as const

// <bits/socket.h> of Linux.
const AF_UNIX = 1
const SOCK_DGRAM = 2
/** Not for the processes that this one starts. */
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000

/** In unix(7): the family, then a path of at most so many bytes. */
const FAMILY_BYTES = 2
const PATH_BYTES_MAX = 107

/** Sends variables, a line each; returns whether the service manager got them. */
type Notify = (variables: Readonly<Record<string, string | number>>) => boolean

/**
 * Bun has no Unix datagram sockets, so this calls the C library.
 *
 * @param path of the socket; one that begins with `@` has no file (unix(7), abstract)
 * @returns null if there is no such socket
 */
function openNotifySocket(path: string): Notify | null {
  const name = Buffer.from(path)
  if (name.length === 0 || name.length > PATH_BYTES_MAX) return null
  const library = openCLibrary(SYMBOLS)
  if (library === null) return null
  const { socket, sendto } = library.symbols
  const descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (descriptor < 0) return null
  const address = new Uint8Array(FAMILY_BYTES + name.length)
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX
  address.set(name, FAMILY_BYTES)
  if (path.startsWith('@')) address[FAMILY_BYTES] = 0
  return (variables) => {
    const lines = Object.entries(variables).map(([variable, value]) => `${variable}=${value}`)
    const bytes = Buffer.from(lines.join('\n'))
    const flags = MSG_DONTWAIT | MSG_NOSIGNAL
    const sent = sendto(descriptor, ptr(bytes), bytes.length, flags, ptr(address), address.length)
    return Number(sent) === bytes.length
  }
}
