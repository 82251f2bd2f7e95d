// The WebSocket server that one writes with Bun and nothing else: `GET /test/{id}` upgrades to a
// socket of that user, `POST /pub/{id}` sends its body to all of them and replies how many there
// were. Nothing of comet is in it.

interface User {
  readonly id: number
}

type Socket = Bun.ServerWebSocket<User>

const sockets = new Map<number, Set<Socket>>()

function idIn(path: string, prefix: string): number | null {
  const text = path.startsWith(prefix) ? path.slice(prefix.length) : ''
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null
}

function publish(id: number, text: string): number {
  const open = sockets.get(id)
  if (open === undefined) return 0
  for (const socket of open) socket.send(text)
  return open.size
}

const server = Bun.serve<User>({
  hostname: '127.0.0.1',
  port: 0,
  async fetch(request, itself) {
    const { pathname } = new URL(request.url)
    if (request.method === 'POST') {
      const receiver = idIn(pathname, '/pub/')
      if (receiver === null) return new Response(null, { status: 404 })
      return new Response(String(publish(receiver, await request.text())))
    }
    const id = idIn(pathname, '/test/')
    if (id === null) return new Response(null, { status: 404 })
    if (itself.upgrade(request, { data: { id } })) return undefined
    return new Response(null, { status: 426, headers: { upgrade: 'websocket' } })
  },
  websocket: {
    // A silent socket is a stream, not one to be closed, and pings would be traffic of their own.
    idleTimeout: 0,
    sendPings: false,
    open(socket) {
      const { id } = socket.data
      const open = sockets.get(id)
      if (open === undefined) sockets.set(id, new Set([socket]))
      else open.add(socket)
      socket.send(`Welcome, Url: '/test/${id}' Id: ${id}\n`)
    },
    message() {
      // Clients have nothing to say.
    },
    close(socket) {
      const { id } = socket.data
      const open = sockets.get(id)
      open?.delete(socket)
      if (open?.size === 0) sockets.delete(id)
    },
  },
})

console.log(`listening ${server.port}`)
