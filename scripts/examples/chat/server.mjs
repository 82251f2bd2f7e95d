// The backend of a chat room: who a visitor is, the token for comet, messages from the page to
// comet, and who is there. For Node 20 and later, or Bun; no packages.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const { PORT = '8080', COMET_JWT_SECRET_FILE = 'secret', TOKEN_SECONDS = '300' } = process.env
const { STREAMS_URL = 'http://127.0.0.1:8000', CONTROL_URL = 'http://127.0.0.1:8001' } = process.env

const ROOM = 'room:lobby'
const SESSION_SECONDS = 86_400
const BODY_BYTES_MAX = 8_192
const TEXT_LENGTH_MAX = 1_000
/** Milliseconds for comet to answer, and between two lists of who is there at least. */
const ANSWER_MS_MAX = 5_000
const PEOPLE_EVERY_MS = 1_000

// The same file that comet reads, without the end of its line.
const secret = readFileSync(COMET_JWT_SECRET_FILE, 'utf8').trim()
// The page has the default address in it; another one is put in its place.
const page = readFileSync(new URL('index.html', import.meta.url), 'utf8').replaceAll(
  'http://127.0.0.1:8000',
  STREAMS_URL,
)
const [, script] = /<script type="module">([\s\S]*?)<\/script>/.exec(page)
/** The page runs its own script and comet's library, and no script that was injected. */
const POLICY = [
  "default-src 'none'",
  `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}' ${STREAMS_URL}`,
  "style-src 'unsafe-inline'",
  'img-src data:',
  `connect-src 'self' ${STREAMS_URL}`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

function sign(text) {
  return createHmac('sha256', secret).update(text).digest('base64url')
}

/**
 * A token for comet: it opens the stream of this user, which may follow the room. It is valid for a
 * short time, since the page gets the next one by itself.
 */
function tokenFor(user) {
  const now = Math.floor(Date.now() / 1_000)
  const claims = { sub: user, iat: now, exp: now + Number(TOKEN_SECONDS), comet: { read: [ROOM] } }
  const encoded = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const text = encoded.join('.')
  return `${text}.${sign(text)}`
}

/**
 * Visitors have no password here, so anyone may take any name; the random end keeps two of the same
 * name apart. An application has its own users instead.
 */
function newUser(name) {
  return `${name}.${randomBytes(3).toString('hex')}`
}

function sessionCookie(user, seconds) {
  const value = user === '' ? '' : `${user}:${sign(`session ${user}`)}`
  // Other sites cannot have it sent. Where the page comes by https, add `Secure`.
  return `session=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${seconds}`
}

/** The user whose session a request belongs to, or null. */
function userOf(request) {
  const [, user, signature] =
    /(?:^|; )session=([\w.-]+):([\w-]+)/.exec(request.headers.cookie ?? '') ?? []
  if (user === undefined) return null
  const [given, right] = [Buffer.from(signature), Buffer.from(sign(`session ${user}`))]
  return given.length === right.length && timingSafeEqual(given, right) ? user : null
}

async function publish(message) {
  const response = await fetch(`${CONTROL_URL}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ subject: ROOM, ...message }),
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  })
  // 409: this key went out before. The page had no answer then, and has sent the text again; only
  // the time differs.
  if (!response.ok && response.status !== 409) throw new Error(await response.text())
}

const routes = {
  'GET /': () => ({ html: page }),

  'POST /join': (_request, { name }) => {
    if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,20}$/.test(name)) {
      return { status: 400, json: { error: 'A name is 1 to 20 of a–z, A–Z, 0–9, _ and -.' } }
    }
    const user = newUser(name)
    return { cookie: sessionCookie(user, SESSION_SECONDS), json: { user } }
  },

  'POST /leave': () => ({ cookie: sessionCookie('', 0), json: {} }),

  // Without a session: none, at which the page asks for a name.
  'POST /token': (request) => {
    const user = userOf(request)
    return { json: { user, token: user === null ? null : tokenFor(user) } }
  },

  'POST /messages': async (request, { text, key }) => {
    const user = userOf(request)
    if (user === null) return { status: 401, json: { error: 'Join first.' } }
    const isText = typeof text === 'string' && text.trim() !== '' && text.length <= TEXT_LENGTH_MAX
    if (!isText || typeof key !== 'string' || !/^[\w-]{1,64}$/.test(key)) {
      return { status: 400, json: { error: `A message has 1 to ${TEXT_LENGTH_MAX} characters.` } }
    }
    // Who said it is written here, not by a page. A key has the user in it: no other can use it up.
    await publish({
      event: 'said',
      data: { user, text, at: Date.now() },
      key: `${user} ${key}`,
    })
    return { json: {} }
  },
}

/** The JSON of a request; undefined if it is too long or none. What is too long is not kept. */
async function bodyOf(request) {
  const parts = []
  let bytes = 0
  for await (const part of request) {
    bytes += part.length
    if (bytes <= BODY_BYTES_MAX) parts.push(part)
  }
  if (bytes > BODY_BYTES_MAX) return undefined
  try {
    return JSON.parse(Buffer.concat(parts).toString() || '{}') ?? undefined
  } catch {
    return undefined
  }
}

async function answer(request) {
  const { pathname } = new URL(request.url, 'http://localhost')
  const route = routes[`${request.method} ${pathname}`]
  if (route === undefined) return { status: 404, json: { error: 'There is no such page.' } }
  const body = await bodyOf(request)
  if (body === undefined) return { status: 400, json: { error: 'This is too long, or not JSON.' } }
  return await route(request, body)
}

const server = createServer(async (request, response) => {
  const {
    status = 200,
    cookie,
    html,
    json,
  } = await answer(request).catch((error) => {
    console.error(`chat: ${request.url}: ${error.message}`)
    return { status: 503, json: { error: 'Not sent yet: the server is not there.' } }
  })
  const type = html === undefined ? 'application/json' : 'text/html; charset=utf-8'
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'content-security-policy': POLICY,
    ...(cookie && { 'set-cookie': cookie }),
  })
  response.end(html ?? JSON.stringify(json))
})

// Who is there: comet tells of each connection when it opens and when it ends.

/** The open connections, and whose each is. */
const connections = new Map()
let isDue = false

/** Tells the room who is there: once a second at most, so that a reload of a page is no leaving. */
function tellPeople() {
  if (isDue) return
  isDue = true
  setTimeout(async () => {
    isDue = false
    const people = [...new Set(connections.values())].sort()
    try {
      await publish({ event: 'people', data: people })
    } catch (error) {
      console.error(`chat: who is there: ${error.message}`)
      tellPeople()
    }
  }, PEOPLE_EVERY_MS)
}

async function* linesOf(body) {
  let rest = ''
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    yield* lines
  }
}

/** Follows the feed until it ends. It begins with the connections that are open already. */
async function followFeed() {
  const response = await fetch(`${CONTROL_URL}/feed?snapshot=true`)
  if (!response.ok) throw new Error(await response.text())
  connections.clear()
  for await (const line of linesOf(response.body)) {
    // An empty line is a heartbeat; one without a connection tells a place in the feed.
    const { event, connection, user } = line === '' ? {} : JSON.parse(line)
    if (connection === undefined) continue
    if (event === 'disconnected') connections.delete(connection)
    else connections.set(connection, user)
    tellPeople()
  }
}

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`The chat is at http://127.0.0.1:${server.address().port}`)
})

for (;;) {
  await followFeed().catch((error) => console.error(`chat: the feed: ${error.message}`))
  await new Promise((resolve) => setTimeout(resolve, PEOPLE_EVERY_MS))
}
