// Who may open a stream: the server says how many it can hold, and a transport asks before it
// opens one. The answer is a value, so that each transport refuses in its own words.

export type Admission =
  | { readonly admitted: true }
  | {
      readonly admitted: false
      readonly reason: 'full' | 'draining'
      readonly retryAfterSeconds: number
    }

export interface Gate {
  /** May one more stream be opened now? Counts each refusal. */
  admit(): Admission
}
