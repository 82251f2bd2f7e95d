// What is reported as missing: each thing with its package and the servers that need it, and
// nothing for servers that are not measured.

import { expect, test } from 'bun:test'
import { type Found, missingFor, missingText } from './requirements.ts'
import { PEER_NAMES } from './servers.ts'

const ALL: Found = {
  isLinux: true,
  cc: 'cc',
  hasLibevent: true,
  nginx: 'nginx',
  nchan: 'nchan.so',
  pushpin: 'pushpin',
  mosquitto: 'mosquitto',
  node: 'node',
  hasSocketIo: true,
  openFiles: 20_000,
}

const packagesFor = (found: Partial<Found>, only = PEER_NAMES.slice()) =>
  missingFor({ ...ALL, ...found }, only, 15_000).flatMap(({ packages }) => packages)

test('with everything there, nothing is missing', () => {
  expect(missingFor(ALL, PEER_NAMES, 15_000)).toEqual([])
  expect(missingText([], ['comet', 'floor'])).toBe('Nothing is missing for comet, floor.')
})

test("each thing that is missing has its package of Debian's", () => {
  expect(packagesFor({ nchan: null })).toEqual(['libnginx-mod-nchan'])
  expect(packagesFor({ nginx: null, nchan: null })).toEqual(['nginx', 'libnginx-mod-nchan'])
  expect(packagesFor({ hasLibevent: false })).toEqual(['libevent-dev'])
  expect(packagesFor({ cc: null })).toEqual(['gcc', 'libc6-dev'])
  expect(packagesFor({ pushpin: null })).toEqual(['pushpin', 'zurl'])
  expect(packagesFor({ mosquitto: null, node: null })).toEqual(['mosquitto', 'nodejs'])
})

test('what only others need is not missing', () => {
  expect(packagesFor({ nginx: null, nchan: null }, ['comet', 'floor'])).toEqual([])
  expect(packagesFor({ cc: null, hasLibevent: false }, ['comet', 'nchan'])).toEqual([])
  expect(packagesFor({ hasLibevent: false }, ['floor'])).toEqual([])
})

test('too few open files and another system are missing for all', () => {
  const [files] = missingFor({ ...ALL, openFiles: 1_024 }, ['comet', 'floor'], 15_000)
  expect(files).toMatchObject({ packages: [], peers: ['comet', 'floor'] })
  expect(missingFor({ ...ALL, openFiles: 1_024 }, ['comet'], 100)).toHaveLength(1)
  expect(missingFor({ ...ALL, openFiles: 1_310 }, ['comet'], 100)).toEqual([])
  const [system, ...more] = missingFor({ ...ALL, isLinux: false, cc: null }, PEER_NAMES, 100)
  expect(system).toMatchObject({ what: 'Linux', peers: PEER_NAMES })
  expect(more).toEqual([])
})

test('the text says what to install, and what can be measured without', () => {
  const peers = ['comet', 'nchan', 'evhttp'] as const
  const missing = missingFor({ ...ALL, nchan: null, hasLibevent: false }, peers, 15_000)
  expect(missingText(missing, peers)).toBe(
    [
      'Missing:',
      "  nginx's module nchan for nchan",
      '  libevent to compile with for evhttp',
      'On Debian: apt-get install libnginx-mod-nchan libevent-dev',
      'Without it: --only comet',
    ].join('\n'),
  )
})

test('what no package of Debian has is got by a command', () => {
  const peers = ['comet', 'socket-io'] as const
  const missing = missingFor({ ...ALL, hasSocketIo: false }, peers, 15_000)
  expect(missingText(missing, peers)).toBe(
    [
      'Missing:',
      '  socket.io of npm for socket-io',
      'bun install --frozen-lockfile --cwd bench/peers/socket-io',
      'Without it: --only comet',
    ].join('\n'),
  )
})
