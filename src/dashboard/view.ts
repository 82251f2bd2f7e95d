// What the page is told: shapes of the answers of /dashboard/history and /dashboard/live. Types only,
// since the page's script, in the browser, has them too.

import type { Samples } from './columns.ts'

export interface Warning {
  readonly code: string
  /** What is so, with figures. */
  readonly text: string
  /** What to do, in a sentence. */
  readonly advice: string
}

export interface WorkerRow {
  readonly number: number
  readonly state: string
  readonly pid: number | null
  readonly restarts: number
  readonly open: number
  readonly limit: number
  readonly cores: number | null
  readonly bytes: number | null
  readonly lateMs: number | null
  readonly unackedBytes: number
  readonly queuedBytes: number
  readonly silentMs: number
}

export interface ErlangView {
  readonly name: string
  readonly isRegistered: boolean
  readonly messages: number
  readonly peer: {
    readonly name: string
    readonly state: string
    readonly why: string | null
  } | null
  readonly connections: readonly {
    readonly node: string
    readonly seconds: number
    readonly messages: number
    readonly callsPending: number
  }[]
}

/** How the server is now. */
export interface Now {
  /** Another number is another start of the server. */
  readonly startedMs: number
  readonly timeMs: number
  readonly version: string
  readonly state: string
  readonly uptimeSeconds: number
  readonly limit: number
  readonly pid: number
  readonly openFiles: number
  readonly openFilesLimit: number
  readonly subscriptions: number
  readonly socketsInUse: number | null
  readonly memoryBytes: number | null
  readonly memoryAvailableBytes: number | null
  readonly totals: Readonly<Record<'messages' | 'deliveries' | 'opened', number>>
  readonly warnings: readonly Warning[]
  readonly workers: readonly WorkerRow[]
  readonly erlang: ErlangView | null
}

/** Now, and the samples of both rings that are newer than those asked for. */
export interface Live {
  readonly now: Now
  readonly seconds: Samples
  readonly tens: Samples
}
