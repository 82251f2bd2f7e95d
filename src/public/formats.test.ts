// Goal: each format of /stream that is a chunked response keeps the contract of transports. Method:
// the suite of all, with a reader for each format. Of server-sent events it is the one with JSON
// objects: in bodies alone all ends of lines are line feeds.

import { describe } from 'bun:test'
import type { RawClient } from '../../scripts/support/raw-client.ts'
import { type Protocol, PublicHost, readChunks } from './host.fixture.ts'
import { transportContract } from './transport.contract.ts'

/** What a JSON object says. */
interface Told {
  readonly body?: string
  readonly end?: string
}

const WELCOME = 'welcome'

/** The body of a message, or that it is the first thing that a client is told; none of the end. */
function bodyOf(json: string): Buffer[] {
  const { body, end } = JSON.parse(json) as Told
  return end === undefined ? [Buffer.from(body ?? WELCOME)] : []
}

/** As a client reads an event that has one line of data, or none. */
function dataOf(event: string): Buffer[] {
  const data = event.split('\n').find((line) => line.startsWith('data: '))
  return data === undefined || data === 'data: ' ? [Buffer.from(WELCOME)] : bodyOf(data.slice(6))
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  json: {
    pathOf: (user) => `/stream/${user}`,
    readerOf: (raw) =>
      readChunks(raw, (chunks) => chunks.flatMap((chunk) => bodyOf(String(chunk)))),
  },
  'sse, with objects': {
    pathOf: (user) => `/stream/${user}?format=sse&envelope=json`,
    readerOf: (raw) =>
      readChunks(raw, (chunks) => chunks.flatMap((chunk) => dataOf(String(chunk)))),
  },
  raw: {
    pathOf: (user) => `/stream/${user}?format=raw`,
    // It begins with its head alone.
    readerOf: (raw: RawClient) =>
      readChunks(raw, (chunks) => (raw.head === null ? [] : [Buffer.from(WELCOME), ...chunks])),
  },
}

describe.each(Object.entries(PROTOCOLS))('the format %s', (_, protocol) => {
  const newDescriptorHost = () => PublicHost.onDescriptors(protocol)
  const newAcceptingHost = () => PublicHost.accepting(protocol)
  const welcomeOf = () => WELCOME

  transportContract('on sockets', async () => new PublicHost(protocol), welcomeOf)

  describe.if(process.platform === 'linux')('past Bun,', () => {
    transportContract('on descriptors', newDescriptorHost, welcomeOf)
    transportContract('accepted past Bun', newAcceptingHost, welcomeOf)
  })
})
