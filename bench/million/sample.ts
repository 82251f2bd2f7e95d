// One second of a run, as numbers: what the sampler notes, the results keep and the charts draw.

/** The processes of a run by what they do. `bench` is this program itself. */
export const ROLES = ['serverParent', 'serverWorkers', 'flood', 'gen', 'bench'] as const
export type Role = (typeof ROLES)[number]

type ByRole<Unit extends string> = { readonly [role in Role as `${role}${Unit}`]: number }

export interface Sample extends ByRole<'Bytes'>, ByRole<'Cores'> {
  /** Since the start of the run. */
  readonly seconds: number
  /** Of streams, as the flood has seen them. */
  readonly opened: number
  readonly closed: number
  readonly failed: number
  /** Null in a second of which the flood has said nothing yet. */
  readonly openedPerSecond: number | null
  readonly messages: number
  readonly messagesPerSecond: number | null
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  readonly p999Ms: number | null
  readonly maxMs: number | null
  /** Memory taken from the machine since before the server started, both ends. */
  readonly takenBytes: number
  /** Of it the kernel's. */
  readonly kernelBytes: number
  /** Page cache since then: not part of what is taken. */
  readonly pageCacheBytes: number
  readonly tcpSockets: number
  readonly tcpBytes: number
  /** Processor time of the whole machine, and what its host took away. */
  readonly machineCores: number
  readonly stolenCores: number
}
