// A push server on Node's own `http` and `net`, run by `node` and nothing of comet: streams in
// every framing, and a POST that sends a text to the streams of a user. It prints its two
// addresses.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'

type Send = (text: string) => void

const streamsOf = new Map<number, Set<Send>>()
let open = 0
let posts = 0

function addStream(user: number, send: Send, ended: (end: () => void) => void): void {
  const streams = streamsOf.get(user) ?? new Set()
  streamsOf.set(user, streams.add(send))
  open++
  ended(() => {
    if (streams.delete(send)) open--
  })
}

/** By the first part of a stream's path: its type, and how a text goes down it. */
const FRAMINGS: Record<
  string,
  { type: string; write: (to: ServerResponse, text: string) => void }
> = {
  chunk: { type: 'text/plain', write: (to, text) => to.write(text) },
  // In two chunks, so that a chunk is no message.
  line: {
    type: 'text/plain',
    write: (to, text) => {
      to.write(text.slice(0, 9))
      to.write(`${text.slice(9)}\n`)
    },
  },
  json: {
    type: 'application/x-ndjson; charset=utf-8',
    write: (to, text) => to.write(`${JSON.stringify({ text, more: 'x=1' })}\n`),
  },
  sse: {
    type: 'text/event-stream',
    write: (to, text) => {
      to.write(': nothing new\n\n')
      to.write(`id: 7\r\nevent: news\r\ndata: first line\r`)
      to.write(`\ndata: ${text}\r\n: a comment\r\n\r\n`)
    },
  },
}

async function publish(user: number, request: IncomingMessage, response: ServerResponse) {
  let text = ''
  for await (const part of request) text += String(part)
  posts++
  const streams = streamsOf.get(user) ?? []
  for (const send of streams) send(text)
  const subscribers = [...streams].length
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ subscribers }))
}

const server = createServer((request, response) => {
  const [, what = '', id = ''] = request.url?.split('/') ?? []
  const framing = FRAMINGS[what]
  if (framing !== undefined) {
    response.writeHead(200, { 'content-type': framing.type })
    response.flushHeaders()
    addStream(
      Number(id),
      (text) => framing.write(response, text),
      (end) => response.on('close', end),
    )
  } else if (what === 'pub') publish(Number(id), request, response)
  else if (what === 'open') response.end(String(open))
  else if (what === 'posts') response.end(String(posts))
  else response.writeHead(404).end()
})

const old = createTcpServer((socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (bytes) => {
    const user = Number(/^GET \/\w+\/(\d+) /.exec(String(bytes))?.[1])
    socket.write('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n')
    addStream(
      user,
      (text) => socket.write(`${text}\r\n`),
      (end) => socket.on('close', end),
    )
  })
})

server.listen(0, '127.0.0.1', () => {
  old.listen(0, '127.0.0.1', () => {
    const [url, oldUrl] = [server, old].map(
      (one) => `http://127.0.0.1:${(one.address() as AddressInfo).port}`,
    )
    console.log(JSON.stringify({ url, oldUrl }))
  })
})
