// Goal: sockets of Bun carry streams. Method: the contract of connections.

import { describe } from 'bun:test'
import { connectionsContract } from './connections.contract.ts'
import { SocketConnections } from './socket-connections.ts'

describe('sockets', () => {
  connectionsContract((options) => new SocketConnections(options))
})
