// Goal: what Erlang sends as fast as it can arrives whole, in order and once, with workers too, and
// while no client reads. Method: a tight loop in a real `erl`, a thousand raw streams, every byte
// compared.

import { expect } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { COMET_NODE, type Meeting, meet, withErlang } from '../../support/erlang.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'
import { Crowd, follow, type Held, signal, upFrom } from '../../support/workers.ts'

const COMET = `{comet, '${COMET_NODE}'}`
const STREAMS = 1_000
const MESSAGES = 100_000

/** Opens a stream for each user from 1 on. */
async function openStreams({ server }: Meeting, count: number) {
  const clients: RawClient[] = []
  for (let user = 1; user <= count; user++) {
    clients.push(await RawClient.stream(server.publicPort, user))
  }
  return {
    clients,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.terminate()
    },
  }
}

async function arriveInOrder(meeting: Meeting): Promise<void> {
  await using streams = await openStreams(meeting, STREAMS)
  await meeting.node.run(`
    [{any, '${COMET_NODE}'} ! {1 + I rem ${STREAMS}, [integer_to_list(I), $;]}
      || I <- lists:seq(0, ${MESSAGES - 1})], ok.`)
  const { clients } = streams
  for (const [at, client] of clients.entries()) {
    const last = MESSAGES - STREAMS + at
    const expected = Array.from({ length: MESSAGES / STREAMS }, (_, round) =>
      chunk(`${round * STREAMS + at};`),
    ).join('')
    const text = await client.received(chunk(`${last};`))
    expect(text.slice(text.indexOf('\r\n\r\n'))).toEndWith(`Id: ${at + 1}\n\r\n${expected}`)
  }
  const { messages, deliveries } = await meeting.server.stats()
  expect(messages).toEqual({ accepted: MESSAGES, rejected: 0, dropped: 0 })
  expect(deliveries).toMatchObject({ delivered: MESSAGES, undelivered: 0, skipped: 0, unknown: 0 })
}

withErlang('100,000 messages to 1,000 users all arrive, once and in order', async () => {
  await using meeting = await meet()
  await arriveInOrder(meeting)
})

withErlang('the same with workers', async () => {
  await using meeting = await meet(['--workers', '3'])
  await arriveInOrder(meeting)
})

withErlang('with workers all is counted and answered as without', async () => {
  await using meeting = await meet(['--workers', '3'])
  const { node, server } = meeting
  await using streams = await openStreams(meeting, 20)
  await follow(server, 1, upFrom(2, 19))
  expect(await node.run(`gen_server:call(${COMET}, {send, 1, <<"all">>}).`)).toBe('{ok,20}')
  expect(
    await node.run(`gen_server:call(${COMET}, [{U, <<"each">>} || U <- lists:seq(1, 30)]).`),
  ).toBe('{ok,20}')
  expect(await node.run(`[gen_server:call(${COMET}, {online, U}) || U <- [1, 20, 21]].`)).toBe(
    '[1,1,0]',
  )
  for (const client of streams.clients) {
    expect(await client.received('each')).toEndWith(chunk('all') + chunk('each'))
  }
})

withErlang('a welcomed client gets what its welcome has caused, with workers', async () => {
  await using meeting = await meet(['--workers', '3'])
  const { node, server } = meeting
  for (const user of upFrom(1, 50)) {
    await using client = await RawClient.stream(server.publicPort, user)
    expect(await node.run(`gen_server:call(${COMET}, {${user}, <<"at once">>}).`)).toBe('{ok,1}')
    await client.received('at once')
  }
})

withErlang('one long list leaves the loop to others, and is answered in the end', async () => {
  await using meeting = await meet()
  const { node, server } = meeting
  await using client = await RawClient.stream(server.publicPort, 1)
  const many = 60_000
  const list = `[{1, <<"x">>} || _ <- lists:seq(1, ${many})]`
  expect(await node.run(`gen_server:call(${COMET}, ${list}, 30000).`)).toBe(`{ok,${many}}`)
  await waitFor('all chunks', () => client.bytes > many * chunk('x').length)
  expect(client.text.split(chunk('x')).length - 1).toBe(many)
})

withErlang('a worker that hangs is passed over, and others get what Erlang sends', async () => {
  await using meeting = await meet(['--workers', '2'])
  const { node, server } = meeting
  await using crowd = await Crowd.open(server, upFrom(1, 12))
  const { victim, of, rest } = crowd.split()
  await signal(server, victim, 'SIGSTOP')
  const users = crowd.all.map(({ user }) => user)
  await node.run(`
    Body = binary:copy(<<"x">>, 1000),
    [{any, '${COMET_NODE}'} ! {U, Body} || _ <- lists:seq(1, 2000), U <- [${users}]], ok.`)
  const [{ user, client }] = rest as [Held]
  expect(await node.run(`gen_server:call(${COMET}, {${user}, <<"alive">>}).`)).toBe('{ok,1}')
  await client.received(chunk('alive'))
  expect(client.text.split(chunk('x'.repeat(1_000))).length - 1).toBe(2_000)
  const { accepted } = (await server.stats()).messages
  expect(accepted).toBe(2_000 * users.length + 1)
  expect((await server.stats()).workers[victim]?.unackedBytes).toBeLessThan(8 * 1024 ** 2)
  expect(of.length + rest.length).toBe(users.length)
})
