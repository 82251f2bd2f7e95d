// Goal: a process holds its streams on what its settings allow and the system can do, and says why.

import { expect, test } from 'bun:test'
import { systemClock } from '../core/clock.ts'
import { Log } from '../core/log.ts'
import { refused, success } from '../core/result.ts'
import type { DescriptorWire } from '../public/descriptor-wire.ts'
import { openStreamWire } from './stream-wire.ts'

const lines: string[] = []
const log = new Log({
  format: 'json',
  write: (line) => lines.push(line) > 0,
  clock: systemClock,
})

test('where the check of descriptors fails, streams are on sockets, and log and figures say why', async () => {
  const fails = async () => refused('Bun does not poll an epoll')
  const opened = await openStreamWire({ certificate: null, wire: 'auto' }, log, systemClock, fails)
  const reason = 'Bun does not poll an epoll'
  expect(opened).toEqual({ descriptors: null, wire: { kind: 'socket', reason } })
  expect(lines.splice(0).join()).toContain(`which take more memory: ${reason}.`)
})

test('descriptors are not even tried where sockets are asked for, or are needed for TLS', async () => {
  let tries = 0
  const counts = async () => success({ tries: tries++ } as unknown as DescriptorWire)
  const certificate = { cert: '', key: '' }
  for (const config of [
    { certificate: null, wire: 'socket' },
    { certificate, wire: 'auto' },
  ] as const) {
    const { descriptors, wire } = await openStreamWire(config, log, systemClock, counts)
    expect([descriptors, wire.kind, typeof wire.reason]).toEqual([null, 'socket', 'string'])
  }
  expect([tries, lines]).toEqual([0, []])
})
