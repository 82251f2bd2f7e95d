// The script of the page: asks the server for its figures once a second and shows them, and runs
// the forms. It resumes by itself after the server was away or the tab was hidden.

import { dashboardLimits } from '../core/limits.ts'
import { byId, isVisible, onVisibilityChange, queryAll, root, setText } from '../report/browser.ts'
import { PageHistory, type Span } from './history.ts'
import type { Live } from './live.ts'
import { LogPanel } from './log-panel.ts'
import { showConnection, showFigures, showLocked, showNow } from './panels.ts'
import {
  BUS_CHARTS,
  MACHINE_CHARTS,
  placeCharts,
  type ShowSamples,
  TRAFFIC_CHARTS,
} from './plots.ts'
import { ask, changeFollow, lookUp, send, setToken } from './requests.ts'
import { placeTiles } from './tiles.ts'

const { sampleEveryMs, againMs } = dashboardLimits

const history = new PageHistory()
const showTiles = placeTiles()
const showTraffic = placeCharts(TRAFFIC_CHARTS, byId('charts'))
const showMachine = placeCharts(MACHINE_CHARTS, byId('machine-charts'))
const log = new LogPanel()
/** Null until the server has said that it has a bus. */
let showBusCharts: ShowSamples | null = null
let span: Span = 'seconds'
let timer: ReturnType<typeof setTimeout> | undefined
let isAsking = false
/** When the server answered last; null before it has. */
let answeredMs: number | null = null

/** Asks now and again later; never twice at the same time. */
async function poll(): Promise<void> {
  if (isAsking) return
  isAsking = true
  clearTimeout(timer)
  const answer = await ask<Live>(`/dashboard/live?since=${history.sinceMs}`)
  isAsking = false
  if (!answer.ok && answer.why.isLocked) {
    // Not asked again until there is a token: the server logs each refusal.
    lock(answer.why.text)
    return
  }
  timer = setTimeout(poll, answer.ok ? sampleEveryMs : againMs)
  if (answer.ok) answeredMs = Date.now()
  showConnection(answer.ok ? null : answer.why.text, answeredMs)
  if (!answer.ok) return
  show(answer.value)
  await log.update(Date.now())
}

function show(live: Live): void {
  const wasLocked = !byId('lock').hidden
  byId('lock').hidden = true
  byId('content').hidden = false
  if (wasLocked) byId('now-title').focus()
  history.take(live)
  const seconds = history.of('seconds')
  showNow(live.now, seconds)
  if (isVisible()) showTiles(live.now, seconds)
  if (live.now.bus !== null) showBusCharts ??= placeCharts(BUS_CHARTS, byId('nodes-charts'))
  showSpan()
}

function showSpan(): void {
  // A hidden tab draws nothing; it draws the newest samples once it is visible.
  if (!isVisible()) return
  const samples = history.of(span)
  showTraffic(samples, span)
  showMachine(samples, span)
  showBusCharts?.(samples, span)
  const charts = [...TRAFFIC_CHARTS, ...MACHINE_CHARTS]
  showFigures(samples, showBusCharts === null ? charts : [...charts, ...BUS_CHARTS])
}

function lock(why: string): void {
  byId('content').hidden = true
  byId('lock').hidden = false
  showLocked()
  setText(byId('lock-answer'), why)
  byId('token').focus()
}

/** Runs a form or a button, once at a time, and shows the result below the form. */
function onEvent(
  event: 'submit' | 'click',
  id: string,
  answerId: string,
  run: () => Promise<string>,
): void {
  const answer = byId(answerId)
  let isRunning = false
  byId(id).addEventListener(event, async (happened) => {
    happened.preventDefault()
    if (isRunning) return
    isRunning = true
    setText(answer, '…')
    setText(answer, await run())
    isRunning = false
  })
}

/** What is done for the user in the field; asks for one if there is none. */
async function forUser(run: (user: string) => Promise<string>): Promise<string> {
  const user = byId('user-id').value.trim()
  if (user !== '') return await run(user)
  byId('user-id').focus()
  return 'Enter a user id above.'
}

async function follow(method: 'PUT' | 'DELETE'): Promise<string> {
  const subject = byId('subject').value.trim()
  if (subject === '') return 'Enter a subject.'
  return await forUser((user) => changeFollow(method, user, subject))
}

byId('lock-form').addEventListener('submit', (event) => {
  event.preventDefault()
  const field = byId('token')
  const taken = setToken(field.value)
  // From now on the token is in memory only.
  field.value = ''
  setText(byId('lock-answer'), taken.ok ? '' : taken.why)
  if (taken.ok) poll()
})
for (const id of ['machine', 'all']) {
  for (const link of queryAll(`nav a[href="#${id}"]`)) {
    link.addEventListener('click', () => byId(id).setAttribute('open', ''))
  }
}
for (const choice of queryAll('input[name="range"]')) {
  choice.addEventListener('change', () => {
    if (choice.checked) span = choice.value === 'tens' ? 'tens' : 'seconds'
    showSpan()
  })
}
onVisibilityChange(() => {
  if (isVisible() && byId('lock').hidden) poll()
})
onEvent('submit', 'look-up', 'look-up-answer', () => lookUp(byId('user-id').value.trim()))
onEvent('submit', 'send', 'send-answer', () => forUser((user) => send(user, byId('body').value)))
onEvent('submit', 'follow', 'follow-answer', () => follow('PUT'))
onEvent('click', 'unfollow', 'follow-answer', () => follow('DELETE'))
// A link sends no token.
byId('openapi').hidden = root.dataset['lock'] === 'locked'
if (root.dataset['lock'] === 'locked') lock('')
else poll()
