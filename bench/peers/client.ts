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
    ...option('connections', '10000'),
    ...option('first-id', '1'),
    ...option('pending', '256'),
    ...option('rate', '1000'),
    ...option('messages'),
    ...option('users', '10000'),
    ...option('duration', '10s'),
    ...option('generators', '16'),
    ...option('publishers', '4'),
    ndjson: { type: 'boolean' },
    json: { type: 'boolean' },
  },
})

function option<Name extends string>(name: Name, standard?: string) {
  const text = { type: 'string' as const }
  return { [name]: standard === undefined ? text : { ...text, default: standard } } as {
    [Of in Name]: { type: 'string'; default?: string }
  }
}

function count(text: string | undefined): number {
  const value = parseCount(text ?? '')
  if (value === undefined) throw new Error(`${text} is not a count`)
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
    durationMs: parseDurationMs(values.duration ?? '') ?? 0,
    generators: count(values.generators),
    publishers: count(values.publishers),
  })
}
process.exit(0)
