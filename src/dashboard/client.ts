// The script of the page: asks the server once a second how it is, and shows it. It goes on by itself
// after the server or the tab was away, and what it keeps is bounded by kept.ts.

import { dashboardLimits } from '../core/limits.ts'
import { ask, useToken } from './api.ts'
import { all, byId, isSeen, onSeen, root, say } from './dom.ts'
import { Kept, type Span } from './kept.ts'
import { placeCharts } from './plots.ts'
import { showFigures, showLink, showNow } from './show.ts'
import { placeUserBox } from './user.ts'
import type { Live } from './view.ts'

const { sampleEveryMs, againMs } = dashboardLimits

const kept = new Kept()
const showCharts = placeCharts()
let span: Span = 'seconds'
let timer: ReturnType<typeof setTimeout> | undefined
let isAsking = false

/** Asks once, and is due again; never twice at the same time. */
async function look(): Promise<void> {
  if (isAsking) return
  isAsking = true
  clearTimeout(timer)
  const answer = await ask<Live>(`/dashboard/live?since=${kept.sinceMs}`)
  isAsking = false
  if (!answer.ok && answer.isLocked) {
    // Not asked again until there is a token: the server logs each refusal.
    lock(answer.why)
    return
  }
  timer = setTimeout(look, answer.ok ? sampleEveryMs : againMs)
  showLink(answer.ok ? null : answer.why)
  root.classList.toggle('stale', !answer.ok)
  if (answer.ok) show(answer.value)
}

function show(live: Live): void {
  const lockBox = byId('lock')
  const content = byId('content')
  const wasLocked = !lockBox.hidden
  lockBox.hidden = true
  content.hidden = false
  if (wasLocked) byId('warnings-title').focus()
  kept.take(live)
  showNow(live.now, kept.of('seconds'))
  showSpan()
}

function showSpan(): void {
  // Who comes back is shown the newest at once, so nothing is drawn for nobody.
  if (!isSeen()) return
  showCharts(kept.of(span), span)
  showFigures(kept.of(span))
}

function lock(why: string): void {
  byId('content').hidden = true
  byId('lock').hidden = false
  showLink(null)
  say(byId('link'), 'locked')
  say(byId('lock-answer'), why)
  byId('token').focus()
}

byId('lock-form').addEventListener('submit', (event) => {
  event.preventDefault()
  const field = byId('token')
  useToken(field.value.trim())
  // It is in memory once, and not on the page.
  field.value = ''
  look()
})
for (const choice of all('input[name="range"]')) {
  choice.addEventListener('change', () => {
    if (choice.checked) span = choice.value === 'tens' ? 'tens' : 'seconds'
    showSpan()
  })
}
onSeen(() => {
  if (isSeen() && byId('lock').hidden) look()
})
placeUserBox()
if (root.dataset['lock'] === 'locked') lock('')
else look()
