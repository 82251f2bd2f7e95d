// The last lines of the server's log, the newest at the end, which stays in view unless the reader
// has scrolled up.

import type { LogPage } from '../control/log.ts'
import { dashboardLimits } from '../core/limits.ts'
import { recentLogLimits } from '../core/recent-log-limits.ts'
import { formatQuantity } from '../core/units.ts'
import { byId, create, type PageElement } from '../report/browser.ts'
import { ask } from './requests.ts'

type Line = LogPage['lines'][number]

const { rowsMax } = dashboardLimits

/** The lines on the page; asks only for those it does not have. */
export class LogPanel {
  readonly #list = byId('log-lines')
  readonly #box = byId('log-box')
  /** Oldest first. */
  #lines: PageElement[] = []
  #last = 0
  #askedMs = Number.NEGATIVE_INFINITY
  #isAsking = false

  /** Asks for new lines, unless that was a moment ago. */
  async update(nowMs: number): Promise<void> {
    if (this.#isAsking || nowMs - this.#askedMs < recentLogLimits.askEveryMs) return
    this.#isAsking = true
    this.#askedMs = nowMs
    const answer = await ask<LogPage>(`/log?after=${this.#last}&limit=${rowsMax}`)
    this.#isAsking = false
    // Without an answer the page says that the server is gone.
    if (answer.ok) this.#add(answer.value)
  }

  #add({ lines, last, missed }: LogPage): void {
    const isFirst = this.#last === 0
    this.#last = last
    if (lines.length === 0) return
    const isAtEnd = this.#box.scrollTop + this.#box.clientHeight >= this.#box.scrollHeight - 8
    if (missed > 0 && !isFirst) {
      this.#lines.push(create('li', 'left-out', `${formatQuantity(missed, 'line')} left out`))
    }
    this.#lines = [...this.#lines, ...lines.map(elementOf)].slice(-rowsMax)
    this.#list.replaceChildren(...this.#lines)
    if (isAtEnd || isFirst) this.#box.scrollTop = this.#box.scrollHeight
  }
}

function elementOf({ time, level, message, fields }: Line): PageElement {
  const worker = fields['worker']
  const from = worker === undefined ? '' : `worker ${worker}: `
  return create(
    'li',
    '',
    create('span', 'when', new Date(time).toTimeString().slice(0, 8)),
    ' ',
    create('span', level, level.padEnd(5)),
    ` ${from}${message}`,
  )
}
