// A WebSocket client of another project, for Node or Bun: connects to the address that it is given,
// does what lines of JSON on its standard input say, and prints what happens, a line of JSON each.
//
//   node scripts/support/websocket-client.mjs ws|undici|global URL [HEADERS]

import { createInterface } from 'node:readline'

const [, , library, url, headers = '{}'] = process.argv
const options = { headers: JSON.parse(headers) }

const tell = (what) => console.log(JSON.stringify(what))

async function open() {
  if (library === 'ws') {
    const { WebSocket } = await import('ws')
    return new WebSocket(url, { ...options, rejectUnauthorized: false })
  }
  if (library === 'undici') {
    const { Agent, WebSocket } = await import('undici')
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
    return new WebSocket(url, { ...options, dispatcher })
  }
  return new WebSocket(url, { ...options, tls: { rejectUnauthorized: false } })
}

const socket = await open()
socket.addEventListener('open', () => tell({ open: { extensions: socket.extensions } }))
socket.addEventListener('message', ({ data }) => tell({ message: String(data) }))
socket.addEventListener('error', (event) => tell({ error: String(event.message) }))
socket.addEventListener('close', ({ code, reason, wasClean }) => {
  tell({ close: { code, reason, wasClean } })
  process.exit(0)
})
// The interface of browsers has neither.
socket.on?.('pong', (payload) => tell({ pong: String(payload) }))
socket.on?.('ping', () => tell({ ping: true }))
socket.on?.('unexpected-response', (_, response) => tell({ status: response.statusCode }))

createInterface({ input: process.stdin }).on('line', (line) => {
  const { send, binary, ping, close } = JSON.parse(line)
  if (send !== undefined) socket.send(send)
  else if (binary !== undefined) socket.send(Buffer.from(binary))
  else if (ping !== undefined) socket.ping(ping)
  else if (close !== undefined) socket.close(...close)
})
