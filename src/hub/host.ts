// Where the streams of a server are: in this process (public/port.ts) or in its workers
// (workers/supervisor.ts). The control port and the router see only this interface.

import type { Address } from '../core/address.ts'
import type { Result } from '../core/result.ts'
import type { DrainPace } from './drain.ts'
import type { HeldPage } from './feed.ts'
import type { HostFigures } from './figures.ts'
import type { Checkpoints, Outlet } from './outlet.ts'
import type { ServerConfig } from './settings.ts'
import type { StreamEnd } from './stream.ts'
import type { UserPresence } from './stream-table.ts'

/** A listening port that can stop accepting for a while. */
export interface PausablePort {
  readonly paused: boolean
  pause(): void
  /** Accepts again. */
  resume(): Result<void>
}

/** How many streams a message would reach. */
export interface Audience {
  readonly connections: number
  /** Workers that did not answer. */
  readonly unknown: number
}

/** How many streams were ended, and of how many it is not known. */
export interface EndedStreams {
  readonly ended: number
  readonly unknown: number
}

export interface StreamHost {
  /** Where clients open streams, with the ports that the system chose. */
  readonly addresses: readonly Address[]
  readonly outlet: Outlet & Checkpoints
  /** Has the stop begun? */
  readonly isDraining: boolean
  /** Is there no room for one more stream? */
  readonly full: boolean
  /** Is no stream left? */
  readonly isEmpty: boolean
  /** Open files of this process, without those held in reserve. */
  readonly openFiles: number
  readonly isShortOfFiles: boolean
  /** Workers that have not responded for a while. */
  readonly silentWorkers: readonly number[]
  userPresence(user: number): Promise<UserPresence>
  /** Has the user a stream that is open, or does a stream follow the subject for itself? */
  isReached(subject: number): boolean
  /**
   * How many open streams a message about a subject would reach now, each once.
   *
   * @param followers of the subject, and never the subject itself
   */
  audienceOf(subject: number, followers: Uint32Array): Promise<Audience>
  /** Connected users with ids above `after`, in order, `count` at most. */
  usersAfter(after: number, count: number): Uint32Array
  /**
   * Connections that are open, in no order, `countMax` at most; one that is open all the while is
   * in one of the pages.
   *
   * @param place 0 for the first page
   */
  connectionsFrom(place: number, countMax: number): HeldPage
  /** Ends all streams of a user. A worker that hangs is not waited for. */
  endStreams(user: number, end: StreamEnd): Promise<EndedStreams>
  /** Asks every process. */
  figures(): Promise<HostFigures>
  /** The figures as they were last reported, without asking. */
  latest(): HostFigures
  /** Begins to watch the open files of this process, whose control port this is. */
  watch(control: PausablePort): void
  /** Prepares for the next settings, before they are current; fails if they cannot be. */
  prepare(next: ServerConfig): Result<void>
  /** Is the whole server ready? Told to clients that ask the public port for its health. */
  isReady: boolean
  /** The settings have been replaced. */
  onSettings(): void
  /** Ends every stream properly, evenly. Answers whether clients had to be cut. */
  drain(pace: DrainPace): Promise<boolean>
}

/** Is the stop so far that no stream is left to send to? Until then messages are delivered. */
export function hasEnded({
  isDraining,
  isEmpty,
}: Pick<StreamHost, 'isDraining' | 'isEmpty'>): boolean {
  return isDraining && isEmpty
}
