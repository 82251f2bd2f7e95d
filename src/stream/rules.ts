// What may change while streams are held: plain data on its way to all processes that hold some.

import type { Certificate } from '../core/certificate.ts'

export interface StreamRules {
  /** Highest user id that may open a stream. */
  readonly userIdMax: number
  /** Bytes that may wait for one slow stream. */
  readonly outboxBytes: number
  /** To speak TLS by; null to speak HTTP in the clear. */
  readonly certificate: Certificate | null
}
