// What may change while streams are held: plain data on its way to all processes that hold some.

import type { Certificate } from '../core/certificate.ts'
import type { Network } from '../core/ip.ts'
import type { DoorRules } from './doorman.ts'

export interface StreamRules extends DoorRules {
  /** Highest user id that may open a stream. */
  readonly userIdMax: number
  /** Bytes that may wait for one slow stream. */
  readonly outboxBytes: number
  /** Proxies whose word on where a client is counts, and the header in which they give it. */
  readonly proxies: { readonly trusted: readonly Network[]; readonly header: string }
  /** To speak TLS by; null to speak HTTP in the clear. */
  readonly certificate: Certificate | null
}
