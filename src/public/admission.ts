// Who may open a stream: the server says whether it can hold one more, and a transport asks before it
// opens one. The answer is a value, so that each transport refuses in its own words.

import type { RefusalReason } from '../hub/figures.ts'

export type Admission =
  | {
      readonly admitted: true
      /** To be told when the stream is over, or never came about; null if nobody wants to know. */
      readonly lease: Lease | null
    }
  | {
      readonly admitted: false
      readonly reason: RefusalReason
      readonly retryAfterSeconds: number
    }

/** What counts as long as a stream is there. */
export interface Lease {
  /** Once. */
  left(): void
}

export interface Gate {
  /** May one more stream be opened now, by this request? Counts each refusal. */
  admit(request: Request): Admission | Promise<Admission>
}
