// Goal: whatever becomes of the Erlang side, comet goes on: it tells once what is wrong, comes back
// by itself, and no rubbish hurts more than the one connection that it came on. Method: real nodes
// that are killed, stopped and started again, with wrong cookies, and an epmd that comes and goes.

import { describe, expect } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import type { CometServer } from '../../support/comet.ts'
import {
  COMET_NODE,
  COOKIE,
  connected,
  disconnected,
  Erlang,
  erlangStats,
  events,
  MASTER,
  meet,
  withErlang,
} from '../../support/erlang.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

const COMET = `{comet, '${COMET_NODE}'}`

/**
 * A node of few lines: it knows the cookie and gets through the handshake, then sends bytes, and
 * answers what comes back.
 */
const LIAR = `fun(Port, Bytes) ->
  {ok, S} = gen_tcp:connect({127,0,0,1}, Port, [binary, {packet, 2}, {active, false}]),
  ok = gen_tcp:send(S, <<$N, 16#d07df7fbc:64, 7:32, 14:16, "liar@localhost">>),
  {ok, <<"sok">>} = gen_tcp:recv(S, 0),
  {ok, <<$N, _:64, Challenge:32, _/binary>>} = gen_tcp:recv(S, 0),
  Digest = erlang:md5(["${COOKIE}", integer_to_list(Challenge)]),
  ok = gen_tcp:send(S, <<$r, 1:32, Digest/binary>>),
  {ok, <<$a, _/binary>>} = gen_tcp:recv(S, 0),
  inet:setopts(S, [{packet, 0}]),
  ok = gen_tcp:send(S, Bytes),
  gen_tcp:recv(S, 0)
end`

/** The status of `/readyz`, and its word. */
async function readiness(server: CometServer): Promise<[number, string]> {
  const response = await server.ask('/readyz')
  return [response.status, ((await response.json()) as { status: string }).status]
}

describe('a wrong cookie', () => {
  withErlang('of comet is refused by the node, told once, and never written down', async () => {
    await using erlang = await Erlang.start()
    await using node = await erlang.node()
    await using server = await erlang.serve(
      ['--erlang-node', MASTER, '--erlang-cookie', 'notthesecret'],
      { COMET_ERLANG_COOKIE: 'unusedsecret' },
    )
    const why = await disconnected(server)
    expect(why).toContain('wrong cookie')
    // Two more tries: what has not changed is not told again.
    await waitFor('more tries', () => node.stdout.split('Invalid challenge reply').length > 3)
    expect(events(server, 'erlang_unreachable')).toBe(1)
    expect(events(server, 'erlang_connected')).toBe(0)
    expect(await node.run('nodes(hidden).')).toBe('[]')
    expect(server.stderr).not.toContain('notthesecret')
    expect(JSON.stringify(await server.stats())).not.toContain('notthesecret')
  })

  withErlang('of a node is refused by comet', async () => {
    await using erlang = await Erlang.start()
    await using server = await erlang.serve(['--erlang-cookie', 'thegoodone'])
    await waitFor('the registration', async () => (await erlangStats(server)).registered)
    await using node = await erlang.node({ cookie: 'thebadone' })
    expect(await node.run(`net_adm:ping('${COMET_NODE}').`)).toBe('pang')
    await server.logged('"event":"erlang_handshake_failed"')
    await server.logged('wrong cookie')
    expect((await erlangStats(server)).connections).toEqual([])
    expect(server.stderr).not.toContain('thegoodone')
  })
})

describe('a node that goes away', () => {
  withErlang('is connected again when it comes back, and each change is told once', async () => {
    await using erlang = await Erlang.start()
    await using server = await erlang.comet(['--erlang-required'])
    expect(await readiness(server)).toEqual([503, 'disconnected'])
    await using client = await RawClient.stream(server.publicPort, 123)
    for (const life of [1, 2, 3]) {
      await using node = await erlang.node()
      await connected(server)
      expect(await readiness(server)).toEqual([200, 'ready'])
      expect(await node.run(`gen_server:call(${COMET}, {send, 123, <<"life ${life}">>}).`)).toBe(
        '{ok,1}',
      )
      node.kill('SIGKILL')
      expect(await disconnected(server)).toBe('the node closed the connection')
      expect(await readiness(server)).toEqual([503, 'disconnected'])
    }
    expect(client.text).toEndWith(['life 1', 'life 2', 'life 3'].map(chunk).join(''))
    expect(events(server, 'erlang_connected')).toBe(3)
    expect(events(server, 'erlang_disconnected')).toBe(3)
  })

  withErlang('makes a server unready that requires any and has no other', async () => {
    await using erlang = await Erlang.start()
    await using server = await erlang.serve(['--erlang-cookie', COOKIE, '--erlang-required'])
    expect(await readiness(server)).toEqual([503, 'disconnected'])
    const node = await erlang.node()
    expect(await node.run(`net_adm:ping('${COMET_NODE}').`)).toBe('pong')
    expect(await readiness(server)).toEqual([200, 'ready'])
    await node[Symbol.asyncDispose]()
    await waitFor('the end of the connection', async () => (await readiness(server))[0] === 503)
  })

  withErlang('does not make a server unready that does not require it', async () => {
    await using erlang = await Erlang.start()
    await using server = await erlang.comet()
    expect(await disconnected(server)).toContain('not registered at epmd')
    expect(await readiness(server)).toEqual([200, 'ready'])
    expect(events(server, 'erlang_unreachable')).toBe(1)
  })

  withErlang(
    'without a word is given up after its tick time, and comes back with SIGCONT',
    async () => {
      await using meeting = await meet(['--erlang-tick', '1s'], {
        args: ['-sname', MASTER, '-kernel', 'net_ticktime', '4'],
      })
      const { node, server } = meeting
      node.kill('SIGSTOP')
      expect(await disconnected(server)).toBe('no data received for 1 s')
      node.kill('SIGCONT')
      await connected(server)
      expect(await node.run('nodes(hidden).')).toBe(`[${COMET_NODE}]`)
      expect(await node.run(`gen_server:call(${COMET}, {online, 1}).`)).toBe('0')
    },
  )
})

withErlang(
  'ticks keep a silent connection open from both sides',
  async () => {
    await using meeting = await meet(['--erlang-tick', '2s'], {
      args: ['-sname', MASTER, '-kernel', 'net_ticktime', '2'],
    })
    const { node, server } = meeting
    // Three times as long as either side waits for a word.
    const until = performance.now() + 6_000
    await waitFor('silence to pass', () => performance.now() > until)
    expect(events(server, 'erlang_disconnected')).toBe(0)
    expect(await node.run('nodes(hidden).')).toBe(`[${COMET_NODE}]`)
  },
  30_000,
)

withErlang('a node may connect by itself, beside the one that comet was told of', async () => {
  await using meeting = await meet()
  const { erlang, server } = meeting
  await using other = await erlang.node({ name: 'other@localhost' })
  expect(await other.run(`net_adm:ping('${COMET_NODE}').`)).toBe('pong')
  expect(await other.run(`gen_server:call(${COMET}, {online, 1}).`)).toBe('0')
  const { connections } = await erlangStats(server)
  expect(connections.map(({ node }) => node).sort()).toEqual([MASTER, 'other@localhost'])
  other.kill('SIGKILL')
  await waitFor('it to go', async () => (await erlangStats(server)).connections.length === 1)
})

withErlang('a node that connects first is the one that comet was told of', async () => {
  await using erlang = await Erlang.start()
  await using server = await erlang.comet()
  await disconnected(server)
  await waitFor('the registration', async () => (await erlangStats(server)).registered)
  await using node = await erlang.node()
  expect(await node.run(`net_adm:ping('${COMET_NODE}').`)).toBe('pong')
  await connected(server)
  expect((await erlangStats(server)).connections).toHaveLength(1)
})

describe('epmd', () => {
  withErlang('may come after comet, and come again', async () => {
    await using erlang = await Erlang.withoutEpmd()
    await using server = await erlang.comet()
    expect(await disconnected(server)).toContain('connection refused')
    await server.logged('"event":"erlang_unregistered"')
    for (const life of [1, 2]) {
      await erlang.startEpmd()
      await waitFor(`registration ${life}`, async () => (await erlangStats(server)).registered)
      expect(await erlang.names()).toEqual(['c1'])
      await erlang.stopEpmd()
      await waitFor('that to be noticed', async () => !(await erlangStats(server)).registered)
    }
    expect(events(server, 'erlang_registered')).toBe(2)
  })

  withErlang('has a name once: a second comet of that name says so, and waits for it', async () => {
    await using erlang = await Erlang.start()
    await using first = await erlang.serve(['--erlang-cookie', 'x'])
    await waitFor('the registration', async () => (await erlangStats(first)).registered)
    await using second = await erlang.serve(['--erlang-cookie', 'x'])
    await second.logged('already registered at epmd')
    first.kill('SIGTERM')
    await waitFor('the name', async () => (await erlangStats(second)).registered)
  })
})

describe('rubbish', () => {
  const ATTACKS = {
    'a message above 1 MiB': [
      '{123, binary:copy(<<"x">>, 1048576)}',
      'bytes; at most 1048576 are allowed',
    ],
    'a term nested 1,000 deep': [
      'lists:foldl(fun(_, Deep) -> [Deep] end, [], lists:seq(1, 1000))',
      'more than 512 deep',
    ],
    'a flood of atoms': [
      '[list_to_atom("flood" ++ integer_to_list(I)) || I <- lists:seq(1, 66000)]',
      'more than 65536 different atoms',
    ],
  } as const

  for (const [what, [term, why]] of Object.entries(ATTACKS)) {
    withErlang(`${what} closes the connection that it came on, and nothing else`, async () => {
      await using meeting = await meet()
      const { erlang, node, server } = meeting
      await using client = await RawClient.stream(server.publicPort, 123)
      await using other = await erlang.node({ name: 'other@localhost' })
      expect(await other.run(`net_adm:ping('${COMET_NODE}').`)).toBe('pong')
      await node.run(`{any, '${COMET_NODE}'} ! ${term}, ok.`)
      expect(await disconnected(server)).toContain(why)
      expect(await other.run(`gen_server:call(${COMET}, {123, <<"alive">>}).`)).toBe('{ok,1}')
      await connected(server)
      expect(await node.run(`gen_server:call(${COMET}, {123, <<"again">>}).`)).toBe('{ok,1}')
      expect(await client.received(chunk('again'))).toEndWith(chunk('alive') + chunk('again'))
      expect(events(server, 'erlang_disconnected')).toBe(1)
      expect(events(server, 'bug')).toBe(0)
    })
  }

  withErlang(
    'whose lengths lie closes the connection that it came on, and nothing else',
    async () => {
      await using meeting = await meet()
      const { node, server } = meeting
      const { port } = await erlangStats(server)
      await node.run(`Liar = ${LIAR}, ok.`)
      // The control message of {any, Node} ! Message, from a process of the liar's.
      const from = '<<88, 119, 14, "liar@localhost", 1:32, 0:32, 7:32>>'
      const send = `112, 131, 104, 4, 97, 6, (${from})/binary, 119, 0, 119, 3, "any", 131`
      for (const [packet, why] of [
        ['<<16#ffffffff:32>>', 'a packet has 4294967295 bytes'],
        [
          `Whole(<<${send}, 104, 2, 97, 123, 109, 255, 255, 255, 255, "Hello">>)`,
          'has a wrong length',
        ],
        [`Whole(<<${send}, 105, 255, 255, 255, 255, 97, 1>>)`, 'has a wrong length'],
        [`Whole(<<${send}, 108, 127, 255, 255, 255, 97, 1, 106>>)`, 'has a wrong length'],
        [
          `Whole(<<${send}, 104, 2, 97, 123, 109, 0, 0, 0, 1, "Hello">>)`,
          'unexpected bytes after a message',
        ],
        [`Whole(<<${send}, 80, 0, 255, 0, 0, 1, 2, 3>>)`, 'the unsupported tag 80'],
        ['Whole(<<112, 131>>)', 'a term is truncated'],
        ['Whole(<<131, 68, 0>>)', 'unknown packet type'],
      ] as const) {
        const whole = 'Whole = fun(Bytes) -> <<(byte_size(Bytes)):32, Bytes/binary>> end'
        expect(await node.run(`${whole}, Liar(${port}, ${packet}).`)).toBe('{error,closed}')
        await waitFor(why, () => server.stderr.includes(why))
      }
      expect(await node.run(`gen_server:call(${COMET}, {online, 1}).`)).toBe('0')
      expect((await erlangStats(server)).connections.map((each) => each.node)).toEqual([MASTER])
      expect(events(server, 'bug')).toBe(0)
    },
  )

  withErlang('at the Erlang port is refused', async () => {
    await using meeting = await meet()
    const { server, node } = meeting
    const { port } = await erlangStats(server)
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0\0', '\0\x03nok', '\xff\xff', '']) {
      await using stranger = await RawClient.open(port, bytes)
      if (bytes === '') stranger.closeSendingHalf()
      await stranger.ended()
    }
    await server.logged('"event":"erlang_handshake_failed"')
    expect(await node.run(`gen_server:call(${COMET}, {online, 1}).`)).toBe('0')
  })
})

withErlang(
  'a server that stops answers calls until its streams have ended',
  async () => {
    await using meeting = await meet(['--outbox', '64MiB'])
    const { node, server, erlang } = meeting
    await using client = await RawClient.stream(server.publicPort, 123)
    // It does not take what is sent to it, so that the server waits for it.
    client.pause()
    const fill = `[gen_server:call(${COMET}, {123, binary:copy(<<"x">>, 60000)})
    || _ <- lists:seq(1, 100)], ok.`
    await node.run(fill)
    server.kill('SIGTERM')
    await server.logged('"event":"draining"')
    expect(await erlang.names()).not.toContain('c1')
    expect(await node.run(`gen_server:call(${COMET}, {123, <<"late">>}).`)).toStartWith(
      '{error,{draining,',
    )
    client.resume()
    expect((await server.finished).exitCode).toBe(0)
    expect(await node.run('nodes(hidden).')).toBe('[]')
  },
  30_000,
)
