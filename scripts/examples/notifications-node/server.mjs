// The backend of a shop: when something happens to an order, it notifies whose order it is. For
// Node 20 and later, or Bun; no packages.

import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { notify } from './notify.mjs'

const { PORT = '8080' } = process.env
const { STREAMS_URL = 'http://127.0.0.1:8000', CONTROL_URL = 'http://127.0.0.1:8001' } = process.env

/** Milliseconds for comet to answer. */
const ANSWER_MS_MAX = 5_000

/** Who is signed in, and whose all orders are. Your application knows it by its session. */
const USER = 'alice'

const EVENTS = {
  pay: { past: 'paid', text: 'Thank you for your payment.' },
  ship: { past: 'shipped', text: 'It is on its way to you.' },
}

// The page has the default address in it; another one is put in its place.
const page = readFileSync(new URL('index.html', import.meta.url), 'utf8').replaceAll(
  'http://127.0.0.1:8000',
  STREAMS_URL,
)

/** What entitles the page to one connection: the user's stream, and nothing else. */
async function ticketFor(user) {
  const response = await fetch(`${CONTROL_URL}/tickets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  })
  if (!response.ok) throw new Error(await response.text())
  return await response.json()
}

async function answer({ method, url }) {
  if (method === 'GET' && url === '/') return { html: page }
  if (method === 'POST' && url === '/ticket') return { json: await ticketFor(USER) }
  const [, order, event] = /^\/orders\/(\d{1,9})\/(pay|ship)$/.exec(url) ?? []
  if (method !== 'POST' || order === undefined) return { status: 404, json: {} }
  const { past, text } = EVENTS[event]
  const notification = { title: `Order ${order} is ${past}`, text }
  // A second click, or a job that runs again, has the same key.
  const { delivered } = await notify(USER, notification, `order-${order}-${past}`)
  return { json: { delivered } }
}

const server = createServer(async (request, response) => {
  const {
    status = 200,
    html,
    json,
  } = await answer(request).catch((error) => {
    console.error(`shop: ${error.message}`)
    return { status: 503, json: {} }
  })
  const type = html === undefined ? 'application/json' : 'text/html; charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(html ?? JSON.stringify(json))
})

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`The shop is at http://127.0.0.1:${server.address().port}`)
})
