// What Redis is asked to add to the log.

import type { Cursor } from '../core/cursor.ts'
import type { EncodedBatch } from './batch.ts'
import type { BatchCondition } from './condition.ts'

export interface AppendRequest {
  readonly epoch: number
  readonly origin: string
  readonly batch: number
  readonly mayBeFirst: boolean
  readonly content: Pick<EncodedBatch, 'count' | 'head' | 'body' | 'isText'>
  /** Entries before it may go. */
  readonly minId: string
}

/** The same of a batch that has a condition, or was in the log before. */
export interface ConditionalRequest extends AppendRequest {
  /** All of its origin's batches up to this one were resolved, as far as its node knows. */
  readonly previous: number
  /** Null for one that needs none, but was in the log before or comes behind one that was not. */
  readonly condition: BatchCondition | null
  /** The place that it had in the log; null if it was not there. */
  readonly again: Cursor | null
}
