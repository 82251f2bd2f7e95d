// Requests to Redis to add a batch to the log.

import type { Cursor } from '../core/cursor.ts'
import type { EncodedBatch } from './batch.ts'
import type { BatchCondition } from './condition.ts'

export interface AppendRequest {
  readonly epoch: number
  readonly origin: string
  readonly batch: number
  readonly mayBeFirst: boolean
  readonly content: Pick<EncodedBatch, 'count' | 'head' | 'body' | 'isText'>
  /** Entries before this id may be removed. */
  readonly minId: string
}

/** A request for a batch that has a condition, or was in the log before. */
export interface ConditionalRequest extends AppendRequest {
  /** All batches of its origin up to this one were resolved, as far as its node knows. */
  readonly previous: number
  /** Null for one without a condition, which was in the log before or follows one that was not. */
  readonly condition: BatchCondition | null
  /** Its place in the log before; null if it was not in the log. */
  readonly again: Cursor | null
}
