// Both ends of a peer with a protocol of its own, in place of comet flood and comet gen, with what
// they share: stamps, the check of order, histograms, reports.
//
//   client flood mqtt://127.0.0.1:1883 --connections 15k   as comet flood --ndjson
//   client gen mqtt://127.0.0.1:1883 --rate 10k            as comet gen --json

import { parseArgs } from 'node:util'
import { parseCount, parseDurationMs } from '../../src/core/units.ts'
import { type PublishingProtocol, publish } from './client-publisher.ts'
import { type ClientProtocol, receive } from './client-streams.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    connections: { type: 'string', default: '10000' },
    'first-id': { type: 'string', default: '1' },
    pending: { type: 'string', default: '256' },
    rate: { type: 'string', default: '1000' },
    messages: { type: 'string' },
    users: { type: 'string', default: '10000' },
    duration: { type: 'string', default: '10s' },
    generators: { type: 'string', default: '16' },
    publishers: { type: 'string', default: '4' },
    // The output is always as these ask for it.
    ndjson: { type: 'boolean' },
    json: { type: 'boolean' },
  },
})

function count(text: string): number {
  return known(parseCount(text), text)
}

function known(value: number | undefined, text: string): number {
  if (value === undefined) throw new Error(`${text} is no count and no duration`)
  return value
}

const [command, address = ''] = positionals
const url = new URL(address)
const protocol = url.protocol.slice(0, -1)
if (command === 'flood') {
  await receive({
    protocol: protocol as ClientProtocol,
    url,
    connections: count(values.connections),
    firstId: count(values['first-id']),
    pendingMax: count(values.pending),
  })
} else {
  await publish({
    protocol: protocol as PublishingProtocol,
    url,
    ratePerSecond: count(values.rate),
    messagesMax: values.messages === undefined ? null : count(values.messages),
    users: count(values.users),
    durationMs: known(parseDurationMs(values.duration), values.duration),
    generators: count(values.generators),
    publishers: count(values.publishers),
  })
}
process.exit(0)
