// What may change while streams are held: plain data on its way to all processes that hold some.

import type { Certificate } from '../core/certificate.ts'
import type { Network } from '../core/ip.ts'
import type { StreamLimits } from './limiter.ts'

/** Behind which proxies clients are known by their own address. */
export interface ProxyRules {
  /** Whose word on where a client is counts. */
  readonly trusted: readonly Network[]
  /** The header in which they give it. */
  readonly header: string
}

export interface StreamRules extends StreamLimits {
  /** Highest user id that may open a stream. */
  readonly userIdMax: number
  /** Bytes that may wait for one slow stream. */
  readonly outboxBytes: number
  readonly proxies: ProxyRules
  /** To speak TLS by; null to speak HTTP in the clear. */
  readonly certificate: Certificate | null
}
