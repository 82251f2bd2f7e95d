// The script of /try: one stream by the client library, a form that publishes, and a table of what
// came. A stream that goes away keeps its cursor, and what it missed comes when it is back.

import type { CometFormat, CometMessage, CometStream } from '../browser/api.ts'
import { connect } from '../browser/comet.ts'
import { dashboardLimits } from '../core/limits.ts'
import { byId, create, origin, type PageElement, root, setText } from '../report/browser.ts'
import { ask, setToken } from './requests.ts'

const { rowsMax, rowsEveryMs } = dashboardLimits

/** The newest first. */
const rows: PageElement[] = []
const counts = { messages: 0, gaps: 0, losses: 0 }
let isDrawing = false
let stream: CometStream | null = null
/** Where a stream that has gone away was. */
let cursor: string | undefined

/** Shows what came, a few times a second, however much that is. */
function draw(): void {
  if (isDrawing) return
  isDrawing = true
  setTimeout(() => {
    isDrawing = false
    byId('rows').replaceChildren(...rows)
    setText(byId('messages'), String(counts.messages))
    setText(byId('gaps'), String(counts.gaps))
    setText(byId('losses'), String(counts.losses))
  }, rowsEveryMs)
}

function add(kind: string, what: string, id = '', about = '', body = ''): void {
  const cells = [
    create('td', 'when', new Date().toLocaleTimeString()),
    create('td', '', what),
    create('td', 'id', id),
    create('td', '', about),
    create('td', 'body', body),
  ]
  rows.unshift(create('tr', kind, ...cells))
  rows.length = Math.min(rows.length, rowsMax)
  draw()
}

function addMessage({ id, to, subject, event, body, data }: CometMessage): void {
  counts.messages++
  const about = subject === undefined ? `to ${to}` : `about ${subject}`
  add('message', event ?? 'message', id, about, body ?? JSON.stringify(data))
}

function show(): void {
  const isOpen = stream !== null
  const state = stream?.state ?? (cursor === undefined ? 'closed' : 'away')
  setText(byId('state'), stream?.format === undefined ? state : `${state}: ${stream.format}`)
  byId('state').className = state === 'open' ? 'pill good' : 'pill'
  setText(byId('open'), isOpen || cursor !== undefined ? 'Close' : 'Open')
  setText(byId('away'), isOpen || cursor === undefined ? 'Go away' : 'Come back')
  byId('away').disabled = !isOpen && cursor === undefined
  for (const id of ['user', 'subjects', 'format']) {
    byId(id).disabled = isOpen || cursor !== undefined
  }
}

/** The port of publishers issues tickets, if the other one asks for one. */
async function ticketFor(user: string, read: readonly string[]): Promise<string> {
  const answer = await ask<{ readonly ticket: string }>('/tickets', { user, read })
  if (!answer.ok) throw new Error(answer.why.text)
  return answer.value.ticket
}

function open(after?: string): void {
  const user = byId('user').value.trim()
  const subjects = byId('subjects')
    .value.split(/[\s,]+/)
    .filter((subject) => subject !== '')
  const format = byId('format').value as CometFormat | ''
  const { streams, heartbeat, tickets } = root.dataset
  const opened = connect(`${streams}/stream/${encodeURIComponent(user)}`, {
    subjects,
    heartbeatMs: Number(heartbeat) || Number.POSITIVE_INFINITY,
    ...(format !== '' && { format }),
    ...(after !== undefined && { after }),
    ...(tickets === 'yes' && { ticket: () => ticketFor(user, subjects) }),
  })
  stream = opened
  cursor = undefined
  opened.addEventListener('message', ({ detail }) => addMessage(detail))
  opened.addEventListener('open', () => {
    add('state', 'open', opened.cursor, '', `by ${opened.format}`)
    show()
  })
  opened.addEventListener('gap', ({ detail: { after: from, resume, reason } }) => {
    counts.gaps++
    add('gap', `gap: ${reason}`, resume, '', `nothing is known of what came after ${from}`)
  })
  opened.addEventListener('reconnect', ({ detail: { waitMs, reason } }) => {
    counts.losses++
    add(
      'state',
      'connection lost',
      opened.cursor,
      '',
      `${reason}; next in ${Math.round(waitMs)} ms`,
    )
    show()
  })
  opened.addEventListener('end', ({ detail }) => add('gap', 'ended', '', '', detail.note))
  opened.addEventListener('error', ({ detail }) => add('gap', 'error', '', '', detail.message))
  opened.addEventListener('close', () => {
    if (stream === opened) stream = null
    show()
  })
  show()
}

function close(): void {
  stream?.close()
  cursor = undefined
  show()
}

async function publish(): Promise<string> {
  const kind = byId('kind').value
  const target = byId('target').value.trim()
  const event = byId('event').value.trim()
  const about = kind === 'subject' ? { subject: target } : { to: kind === 'all' ? '*' : target }
  const message = { ...about, ...(event !== '' && { event }), body: byId('body').value }
  const sent = await ask<{ readonly delivered: number; readonly id?: string }>('/messages', message)
  if (!sent.ok) return `Not published: ${sent.why.text}`
  const { delivered, id } = sent.value
  return `Delivered to ${delivered} ${delivered === 1 ? 'stream' : 'streams'}${id ? `, id ${id}` : ''}.`
}

byId('stream').addEventListener('submit', (event) => {
  event.preventDefault()
  if (stream === null && cursor === undefined) open()
  else close()
})
byId('away').addEventListener('click', () => {
  if (stream === null) return open(cursor)
  const place = stream.cursor
  stream.close()
  add('state', 'gone away', place)
  cursor = place
  show()
})
byId('send').addEventListener('submit', async (event) => {
  event.preventDefault()
  setText(byId('send-answer'), '…')
  setText(byId('send-answer'), await publish())
})
/** Is there an answer to this token? One that may publish alone reads nothing. */
async function unlock(): Promise<string> {
  const field = byId('token')
  const taken = setToken(field.value)
  // From now on the token is in memory only.
  field.value = ''
  if (!taken.ok) return taken.why
  const answer = await ask('/log?limit=1')
  if (!answer.ok && !answer.why.isRole) return answer.why.text
  byId('lock').hidden = true
  byId('content').hidden = false
  byId('user').focus()
  return ''
}

byId('lock-form').addEventListener('submit', async (event) => {
  event.preventDefault()
  setText(byId('lock-answer'), '')
  setText(byId('lock-answer'), await unlock())
})
byId('foreign').hidden = root.dataset['foreign'] !== 'yes'
setText(byId('foreign-option'), `--cors-origin ${origin}`)
byId('lock').hidden = root.dataset['lock'] !== 'locked'
byId('content').hidden = root.dataset['lock'] === 'locked'
show()
