// Changes of who follows whom, in the log of messages: each stands between the messages before and
// after it, so that a client that comes back gets what it would have got.

import { resumeLimits } from '../core/history-limits.ts'
import type { NamedUser } from '../core/user.ts'
import type { MessageLog } from '../log/message-log.ts'
import { isHandle, type NameTable } from '../subscriptions/name-table.ts'
import type { ChangeRecorder, Pairs, StoredSubscriptions } from '../subscriptions/subscriptions.ts'

export class FollowLog implements ChangeRecorder {
  readonly #log: MessageLog
  readonly #names: Pick<NameTable, 'nameOf'>

  constructor(log: MessageLog, names: Pick<NameTable, 'nameOf'>) {
    this.#log = log
    this.#names = names
  }

  /**
   * Called once, before the first change. Ends one that was begun before a kill. Others may be
   * missing in the log, if the database was changed while the server did not run, or is an older
   * copy: then it is not known what users followed before.
   *
   * @returns whether it is known
   */
  open({ stamp }: Pick<StoredSubscriptions, 'stamp'>): boolean {
    const log = this.#log
    if (log.begunStamp !== null) log.endFollows(log.begunStamp === stamp)
    if (log.followsStamp === stamp) return true
    // Of a log without entries, nothing was before.
    const isKnown = log.last === 0
    if (!isKnown) log.appendBarrier()
    log.setFollowsStamp(stamp)
    return isKnown
  }

  /** Records changes each by itself, or of very many that there were some. */
  begin(pairs: Pairs, follows: boolean, stamp: number): void {
    const log = this.#log
    log.beginFollows(stamp)
    if (pairs.length > 2 * resumeLimits.followsTogetherMax) {
      log.appendBarrier()
      return
    }
    for (let at = 0; at < pairs.length; at += 2) {
      const [user, subject] = [pairs[at] as number, pairs[at + 1] as number]
      log.appendFollow(this.#named(user), this.#named(subject), follows)
    }
  }

  end(isMade: boolean): void {
    this.#log.endFollows(isMade)
  }

  #named(id: number): NamedUser {
    return { id, name: isHandle(id) ? this.#names.nameOf(id) : null }
  }
}
