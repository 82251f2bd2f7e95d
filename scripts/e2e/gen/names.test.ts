// Goal: gen sends to users by name as to users by number, each message reaches the stream of its
// user, and flood compares streams of names as those of numbers.
// Method: the executable against itself, with floods whose exact counts are known.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { FindReport } from '../../../src/gen/find-rate.ts'
import { run, serve, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { floodReport, genReport } from '../../support/reports.ts'

const STREAMS = 200
const MESSAGES = 2_000
const NAMED = '/stream/user-{id}?format=raw'
const NAMES = ['--user-names', 'user-{id}']

/**
 * What flood and gen report of a run.
 *
 * @param path of the streams
 * @param to where gen sends to, by the address of the control port
 */
async function compared(path: string, to: (control: string) => string[]) {
  await using folder = await makeFolder()
  await using server = await serve()
  const promises = `${folder.path}/gen.json`
  const compare = ['--expect', promises, '--control', server.controlUrl, '--json']
  const streams = ['--connections', String(STREAMS)]
  await using flooding = start(['flood', server.publicUrl + path, ...streams, ...compare])
  await server.open(STREAMS)
  const load = ['--rate', '4k', '--messages', String(MESSAGES), '--json']
  const generated = await run(['gen', ...to(server.controlUrl), ...load])
  await Bun.write(promises, generated.stdout)
  flooding.kill('SIGINT')
  const flooded = await flooding.finished
  expect([generated.exitCode, flooded.exitCode]).toEqual([0, 0])
  return { sent: genReport(generated), came: floodReport(flooded) }
}

const USERS = ['--users', String(STREAMS)]
const toNumbers = (control: string) => [control, ...USERS, '--address', 'to']
const toNames = (control: string) => [...toNumbers(control), ...NAMES]
const aboutNames = (control: string) => [control, ...USERS, ...NAMES]
const posted = (control: string) => [...USERS, '--post', `${control}/users/user-{id}`]

describe('messages of gen', () => {
  test.each([
    ['names', NAMED, toNames],
    ['names and their followers', NAMED, aboutNames],
    ['names, for streams of lines', '/stream/user-{id}', toNames],
    ['names in an address', NAMED, posted],
    ['numbers', '/test/{id}', toNumbers],
    ['numbers, for raw streams', '/stream/{id}?format=raw', toNumbers],
  ])('to %s come where they should, and none is lost', async (_what, path, to) => {
    const { sent, came } = await compared(path, to)
    expect(sent).toMatchObject({ sent: MESSAGES, delivered: MESSAGES, rejected: 0, errors: {} })
    const { connections, received, comparison, server } = came
    expect(connections).toMatchObject({ wanted: STREAMS, opened: STREAMS, failed: 0, closed: 0 })
    const flawless = { duplicated: 0, reordered: 0, untracked: 0 }
    expect(received).toMatchObject({ messages: MESSAGES, ...flawless })
    const exact = { lost: 0, unexpected: 0, examples: [] }
    expect(comparison).toEqual({ promised: MESSAGES, ...exact })
    expect(server).toMatchObject({ believed: STREAMS, open: STREAMS, missing: 0 })
  })

  test('to names reach no stream of a number', async () => {
    const { sent, came } = await compared('/test/{id}', toNames)
    expect([sent.sent, sent.delivered, came.received.messages]).toEqual([MESSAGES, 0, 0])
  })

  test('go to the numbers and names of a file', async () => {
    await using folder = await makeFolder()
    const path = `${folder.path}/ids.txt`
    // Users 7 and 9 by --user-names, 8 by its name, and one without a stream.
    await Bun.write(path, '7\nuser-8\n\n9\nnobody\n')
    const options = ['--address', 'to', '--subjects', `file:${path}`, ...NAMES]
    const { sent, came } = await compared(NAMED, (control) => [control, ...options])
    // Three in four, give or take five deviations.
    expect(sent.delivered).toBeWithin(1_400, 1_600)
    expect(came.received.messages).toBe(sent.delivered)
  })
})

test('the search for a rate listens to names', async () => {
  await using server = await serve()
  await using finding = start([
    ...['gen', ...toNames(server.controlUrl), '--find-rate', '--rate', '100', '--json'],
    ...['--streams', server.publicUrl + NAMED, '--duration', '500ms'],
    ...['--slo', 'p99<1s,lost=0,duplicated=0,reordered=0'],
  ])
  await finding.logged('200 messages a second: held')
  finding.kill('SIGINT')
  const finished = await finding.finished
  const { highest } = Value.Parse(FindReport, JSON.parse(finished.stdout))
  expect([finished.exitCode, highest]).toEqual([0, 200])
})

describe('gen refuses', () => {
  const post = ['--post', 'http://127.0.0.1:1/pub/{id}']
  const long = `${'x'.repeat(60)}{id}`

  test.each([
    ['a name without a number', ['--user-names', 'alice'], 'this has no {id}'],
    ['a number twice', ['--user-names', '{id}-{id}'], 'this has {id} more than once'],
    ['what is in no name', ['--user-names', 'user/{id}'], 'no name has the character "/"'],
    ['numbers', ['--user-names', '0{id}'], 'this gives numbers, which are no names'],
    ['names that are too long', ['--user-names', long, '--users', '10k'], 'of 65 characters'],
    ['names beside an address', [...NAMES, ...post], 'with --post write names in its address'],
  ])('%s, and says so', async (_what, options, why) => {
    const { exitCode, stdout, stderr } = await run(['gen', ...options])
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(why)
  })
})
