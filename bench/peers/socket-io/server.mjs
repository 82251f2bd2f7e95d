// The server that one writes with socket.io and nothing else: a client joins the room of its user,
// and `POST /pub/{id}` emits its body to that room and replies how many there were. WebSocket only,
// since polling would be other work.

import { createServer } from 'node:http'
import { Server } from 'socket.io'

function idIn(path, prefix) {
  const text = path?.startsWith(prefix) ? path.slice(prefix.length) : ''
  return /^[1-9]\d{0,8}$/.test(text) ? text : null
}

const http = createServer((request, response) => {
  const receiver = request.method === 'POST' ? idIn(request.url, '/pub/') : null
  if (receiver === null) {
    response.writeHead(404).end()
    return
  }
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (text) => {
    body += text
  })
  request.on('end', () => {
    io.to(receiver).emit('message', body)
    response.end(String(io.of('/').adapter.rooms.get(receiver)?.size ?? 0))
  })
})
// Publishers keep their connections, as with the others.
http.keepAliveTimeout = 0

const io = new Server(http, {
  transports: ['websocket'],
  serveClient: false,
  // A silent socket is a stream, and pings would be traffic of their own.
  pingInterval: 2_000_000_000,
  pingTimeout: 2_000_000_000,
})

io.on('connection', (socket) => {
  const { id } = socket.handshake.query
  socket.join(String(id))
  socket.emit('message', `Welcome, Url: '/test/${id}' Id: ${id}\n`)
})

// As many may wait to be accepted as with Bun.
http.listen({ host: '127.0.0.1', port: 0, backlog: 512 }, () => {
  console.log(`listening ${http.address().port}`)
})
