// The backend of answers that are streamed: it asks the model, publishes what it writes, and lets
// anyone with the address of an answer read it. For Node 20 and later, or Bun; no packages.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { answerTo } from './model.mjs'

const { PORT = '8080' } = process.env
const { STREAMS_URL = 'http://127.0.0.1:8000', CONTROL_URL = 'http://127.0.0.1:8001' } = process.env

const QUESTION_LENGTH_MAX = 200
const BODY_BYTES_MAX = 4_096
/** Answers that are kept at most, and that are written at the same time: models are expensive. */
const ANSWERS_MAX = 1_000
const WRITING_MAX = 10
/** Milliseconds for comet to answer, and until it is asked again. */
const COMET_MS_MAX = 5_000
const RETRY_MS = 500
/** Times that a text is tried again: comet may be away for a minute. */
const TRIES_MAX = 120

// The page has the default address in it; another one is put in its place.
const page = readFileSync(new URL('index.html', import.meta.url), 'utf8').replaceAll(
  'http://127.0.0.1:8000',
  STREAMS_URL,
)

/** The answers as far as they are written, the oldest first. An application has a database. */
const answers = new Map()
let writing = 0

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
async function publish(message) {
  for (let tries = 1; ; tries++) {
    try {
      return await askComet('/messages', message)
    } catch (error) {
      if (error.isFinal || tries === TRIES_MAX) throw error
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

/**
 * Writes an answer, token by token, about a subject of its own. Each message says where its text
 * belongs, so that a reader notices if one is missing.
 */
async function write(id, answer) {
  const message = (event, data) => {
    const subject = `answer:${id}`
    return publish({ subject, event, data, key: `${id}:${event}:${data.at}` })
  }
  for await (const text of answerTo(answer.question)) {
    const at = answer.text.length
    answer.text += text
    // One at a time, so that they are in order.
    await message('text', { at, text })
  }
  answer.isDone = true
  await message('done', { at: answer.text.length })
}

function begin(question) {
  const id = randomUUID()
  const answer = { question, text: '', isDone: false }
  answers.set(id, answer)
  if (answers.size > ANSWERS_MAX) answers.delete(answers.keys().next().value)
  writing++
  write(id, answer)
    .catch((error) => console.error(`llm: ${id}: ${error.message}`))
    .finally(() => writing--)
  return id
}

const routes = [
  ['GET', /^\/$/, () => ({ html: page })],

  [
    'POST',
    /^\/answers$/,
    (_, { question }) => {
      const isText = typeof question === 'string' && question.trim() !== ''
      if (!isText || question.length > QUESTION_LENGTH_MAX) {
        return {
          status: 400,
          json: { error: `A question has 1 to ${QUESTION_LENGTH_MAX} characters.` },
        }
      }
      if (writing === WRITING_MAX) {
        return { status: 503, json: { error: 'Too many answers are being written. Try again.' } }
      }
      return { json: { id: begin(question) } }
    },
  ],

  // The answer as far as it is written: all of one that is done, which comet need not keep.
  ['GET', /^\/answers\/([\w-]+)$/, (id) => ({ json: answers.get(id) })],

  // For one connection to comet, which may read this answer. Its address is what entitles to it; an
  // application would ask whose answer it is.
  [
    'POST',
    /^\/answers\/([\w-]+)\/ticket$/,
    async (id) => {
      const ticket = { user: `reader:${randomUUID()}`, read: [`answer:${id}`] }
      return { json: answers.has(id) ? await askComet('/tickets', ticket) : undefined }
    },
  ],
]

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

async function answerRequest(request) {
  const { pathname } = new URL(request.url, 'http://localhost')
  const body = await bodyOf(request)
  if (body === undefined) return { status: 400, json: { error: 'This is too long, or not JSON.' } }
  for (const [method, path, route] of routes) {
    const [found, id] = path.exec(pathname) ?? []
    if (found === undefined || method !== request.method) continue
    const answer = await route(id, body)
    if (answer.html !== undefined || answer.json !== undefined) return answer
  }
  return { status: 404, json: { error: 'There is no such answer.' } }
}

const server = createServer(async (request, response) => {
  const {
    status = 200,
    html,
    json,
  } = await answerRequest(request).catch((error) => {
    console.error(`llm: ${request.url}: ${error.message}`)
    return { status: 503, json: { error: 'The server is not there. Try again in a moment.' } }
  })
  const type = html === undefined ? 'application/json' : 'text/html; charset=utf-8'
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(html ?? JSON.stringify(json))
})

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`Ask at http://127.0.0.1:${server.address().port}`)
})
