// The backend of a page that shows who is online: it follows comet's feed of connections, and tells
// the pages what has changed. For Node 20 and later, or Bun; no packages.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const { PORT = '8080' } = process.env
const { STREAMS_URL = 'http://127.0.0.1:8000', CONTROL_URL = 'http://127.0.0.1:8001' } = process.env

const SUBJECT = 'presence'
/** Milliseconds without a connection until a user counts as offline: a reload of a page takes less. */
const AWAY_MS = 2_000
/** The same after a restart of comet: clients come back after random waits of up to 30 seconds. */
const BACK_MS = 30_000
/** People who have left and are still shown. */
const LEFT_MAX = 20
/** Milliseconds for comet to answer, and until it is asked again. */
const COMET_MS_MAX = 5_000
const RETRY_MS = 500

// The page has the default address in it; another one is put in its place.
const page = readFileSync(new URL('index.html', import.meta.url), 'utf8').replaceAll(
  'http://127.0.0.1:8000',
  STREAMS_URL,
)

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function askComet(path, body) {
  const response = await fetch(CONTROL_URL + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(COMET_MS_MAX),
  })
  if (response.ok) return await response.json()
  const error = new Error(`${response.status} ${await response.text()}`)
  // A 4xx is a mistake of this program, which a retry does not mend.
  throw Object.assign(error, { isFinal: response.status < 500 })
}

/** Publishes, again and again until comet has it. With its key it goes out once all the same. */
async function publish(event, data) {
  const message = { subject: SUBJECT, event, data, key: randomUUID() }
  for (;;) {
    try {
      return await askComet('/messages', message)
    } catch (error) {
      if (error.isFinal) throw error
      console.error(`presence: ${error.message}`)
      await wait(RETRY_MS)
    }
  }
}

// What the pages show, and what they have been told of it.

/** By user: `{ user, isOnline, at }`, since when. */
const people = new Map()
/** The id of the last change that is in `people`: a page that has the list continues after it. */
let cursor
/** The open connections, and whose each is. */
const connections = new Map()

/** One change after the other, so that the list and its cursor belong together. */
let changes = publish('reset', {}).then(({ id }) => {
  cursor = id
})

const isConnected = (user) => [...connections.values()].includes(user)

function look(user) {
  changes = changes.then(async () => {
    const isOnline = isConnected(user)
    if (isOnline === (people.get(user)?.isOnline ?? false)) return
    const person = { user, isOnline, at: Date.now() }
    const { id } = await publish('changed', person)
    cursor = id
    // The last in the map is who has changed last.
    people.delete(user)
    people.set(user, person)
    const left = [...people.values()].filter((each) => !each.isOnline)
    for (const { user: oldest } of left.slice(0, -LEFT_MAX)) people.delete(oldest)
  })
}

function lookLater(user, waitMs) {
  setTimeout(() => look(user), waitMs)
}

// The feed.

async function* linesOf(body) {
  let rest = ''
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    yield* lines
  }
}

/** The last line that was taken in; undefined while it is not known who is connected. */
let place

/**
 * Follows the feed until it ends. It continues after the last line; where that cannot be, as at the
 * start or after a restart of comet, it first lists all connections that are open.
 */
async function followFeed() {
  if (place === undefined) connections.clear()
  const after = place === undefined ? '' : `&after=${place}`
  const response = await fetch(`${CONTROL_URL}/feed?snapshot=true${after}`)
  if (!response.ok) throw new Error(await response.text())
  for await (const line of linesOf(response.body)) {
    // An empty line is a heartbeat.
    if (line !== '') take(JSON.parse(line))
  }
}

function take({ id, gap, snapshot, event, connection, user }) {
  if (gap !== undefined) {
    place = undefined
    connections.clear()
  } else if (snapshot === 'complete') {
    place = id
    // Users who left while the feed was not read.
    for (const { user: known } of people.values()) {
      if (!isConnected(known)) lookLater(known, BACK_MS)
    }
  } else if (event === 'disconnected') {
    connections.delete(connection)
    lookLater(user, AWAY_MS)
  } else if (connection !== undefined) {
    connections.set(connection, user)
    look(user)
  }
  if (place !== undefined && id !== undefined) place = id
}

// What the page asks.

async function answer({ method, url }) {
  const { pathname, searchParams } = new URL(url, 'http://localhost')
  if (method === 'GET' && pathname === '/') return { html: page }
  if (method === 'GET' && pathname === '/people') {
    await changes
    return { json: { people: [...people.values()], after: cursor } }
  }
  if (method === 'POST' && pathname === '/ticket') {
    // Here anyone may be anyone. Your application knows who is signed in.
    const user = searchParams.get('user') ?? ''
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,19}$/.test(user)) return { status: 400, json: {} }
    return { json: await askComet('/tickets', { user, read: [SUBJECT] }) }
  }
  return { status: 404, json: {} }
}

const server = createServer(async (request, response) => {
  const {
    status = 200,
    html,
    json,
  } = await answer(request).catch((error) => {
    console.error(`presence: ${error.message}`)
    return { status: 503, json: {} }
  })
  const type = html === undefined ? 'application/json' : 'text/html; charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(html ?? JSON.stringify(json))
})

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Who is online: http://127.0.0.1:${server.address().port}`)
})

for (;;) {
  await followFeed().catch((error) => console.error(`presence: the feed: ${error.message}`))
  await wait(RETRY_MS)
}
