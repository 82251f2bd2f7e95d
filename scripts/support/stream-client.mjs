// A client of another project that follows a stream, for Node or Bun: opens the address that it is
// given, comes back whenever it is cut, and prints what happens, a line of JSON each. What is here
// for a library is what a user of it has to write.
//
//   node scripts/support/stream-client.mjs LIBRARY URL

import { setTimeout as sleep } from 'node:timers/promises'

const [, , library, url] = process.argv

/** Milliseconds before a client that is written here comes back. */
const RETRY_MS = 100

const tell = (what) => console.log(JSON.stringify(what))

/** The libraries of EventSource come back by themselves, with their last id; but while they wait to
 * come back, they do not keep the program from its end. */
function followEvents(EventSource) {
  setInterval(() => undefined, 60_000)
  const source = new EventSource(url)
  for (const type of ['message', 'news', 'gap', 'end']) {
    source.addEventListener(type, ({ data, lastEventId }) =>
      tell({ event: { type, data, id: lastEventId } }),
    )
  }
  source.addEventListener('open', () => tell({ open: true }))
  source.addEventListener('start', () => tell({ placed: true }))
  source.addEventListener('error', () => tell({ error: source.readyState === 2 ? 'gave up' : '' }))
}

/** It comes back by itself, too. All events have one listener. */
async function followWithClient() {
  const { createEventSource } = await import('eventsource-client')
  createEventSource({
    url,
    onConnect: () => tell({ open: true }),
    onDisconnect: () => tell({ error: '' }),
    onMessage: ({ event = 'message', data, id }) => {
      tell(event === 'start' ? { placed: true } : { event: { type: event, data, id } })
    },
  })
}

/** What is asked for next: behind the last id, of a message or of where the stream began. */
const after = (id) => `${url}${id === null ? '' : `${url.includes('?') ? '&' : '?'}after=${id}`}`

/** Tells what an object of a line or a frame says; the id that it has, if any. */
function take(text) {
  const { id, gap, end, event = 'message', body, data } = JSON.parse(text)
  if (gap !== undefined) tell({ event: { type: 'gap', data: JSON.stringify(gap) } })
  else if (end !== undefined) tell({ event: { type: 'end', data: text } })
  else if (body !== undefined) tell({ event: { type: event, data: body, id } })
  else if (data !== undefined) tell({ event: { type: event, data: JSON.stringify(data), id } })
  else tell({ placed: true })
  return id ?? null
}

/** Lines of JSON by `fetch`: the user's code keeps the last id and comes back with it. */
async function followLines() {
  let last = null
  for (;;) {
    try {
      const response = await fetch(after(last))
      if (response.ok) tell({ open: true })
      let rest = ''
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + part).split('\n')
        rest = lines.pop()
        // An empty line is a sign of life.
        for (const line of lines) if (line !== '') last = take(line) ?? last
      }
    } catch {
      // It was cut, or the server is not there.
    }
    tell({ error: '' })
    await sleep(RETRY_MS)
  }
}

/** The same with frames of a WebSocket. */
async function followFrames(WebSocket) {
  let last = null
  for (;;) {
    const socket = new WebSocket(after(last).replace(/^http/, 'ws'))
    socket.addEventListener('open', () => tell({ open: true }))
    socket.addEventListener('message', ({ data }) => {
      last = take(String(data)) ?? last
    })
    // Without a listener an error would end the program.
    socket.addEventListener('error', () => undefined)
    await new Promise((resolve) => socket.addEventListener('close', resolve))
    tell({ error: '' })
    await sleep(RETRY_MS)
  }
}

if (library === 'eventsource') followEvents((await import('eventsource')).EventSource)
else if (library === 'eventsource-client') await followWithClient()
else if (library === 'undici') followEvents((await import('undici')).EventSource)
else if (library === 'fetch') await followLines()
else if (library === 'ws') await followFrames((await import('ws')).WebSocket)
else if (library === 'undici-websocket') await followFrames((await import('undici')).WebSocket)
else if (library === 'websocket') await followFrames(WebSocket)
