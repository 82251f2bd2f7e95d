// Goal: to Erlang programs comet is a node like any other: what they send to it goes to streams,
// and what they ask it is answered. Method: a real `erl`, raw sockets as streams, the executable
// between.

import { describe, expect } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import type { CometServer } from '../../support/comet.ts'
import { COMET_NODE, erlangStats, type Meeting, meet, withErlang } from '../../support/erlang.ts'
import { LogStream } from '../../support/log-stream.ts'
import { chunk, get, RawClient } from '../../support/raw-client.ts'
import { connectionsOf, follow, signal } from '../../support/workers.ts'

const COMET = `{comet, '${COMET_NODE}'}`

function call({ node }: Meeting, request: string): Promise<string> {
  return node.run(`gen_server:call(${COMET}, ${request}).`)
}

/** What a stream of user 123 gets while Erlang does something, and then says that it has. */
async function arriving({ server, node }: Meeting, act: () => Promise<unknown>): Promise<string> {
  await using client = await RawClient.stream(server.publicPort, 123)
  const { length } = await client.received(WELCOME_END)
  await act()
  await node.run(`{any, '${COMET_NODE}'} ! {123, <<"done">>}.`)
  const text = await client.received(chunk('done'))
  return text.slice(length, -chunk('done').length)
}

const WELCOME_END = 'Id: 123\n\r\n'

withErlang('comet is among the hidden nodes of the node that it was told of', async () => {
  await using meeting = await meet()
  const { node } = meeting
  expect(await node.run('nodes(hidden).')).toBe(`[${COMET_NODE}]`)
  expect(await node.run('nodes().')).toBe('[]')
  expect(await node.run(`net_adm:ping('${COMET_NODE}').`)).toBe('pong')
})

describe('a message', () => {
  withErlang('is kept for clients that come back', async () => {
    await using meeting = await meet()
    const { server, node } = meeting
    await node.run(`{any, '${COMET_NODE}'} ! {alice, <<"to nobody">>}.`)
    await node.run(`{any, '${COMET_NODE}'} ! {subject, alice, <<"about nobody">>}.`)
    await waitFor('both', async () => (await server.stats()).messages.accepted === 2)
    using stream = await LogStream.open(server, 'alice', 'json', 'after=oldest')
    await stream.has('about nobody')
    expect(stream.messages).toEqual(['to nobody', 'about nobody'])
  })

  withErlang('to any name arrives as exactly one chunk', async () => {
    await using meeting = await meet()
    for (const name of ['any', 'comet', 'net_kernel', "'Zoë'"]) {
      const got = await arriving(meeting, () =>
        meeting.node.run(`{${name}, '${COMET_NODE}'} ! {123, <<"Hello">>}.`),
      )
      expect(got).toBe(chunk('Hello'))
    }
    const cast = await arriving(meeting, () =>
      meeting.node.run(`gen_server:cast(${COMET}, {123, <<"Hello">>}).`),
    )
    expect(cast).toBe(chunk('Hello'))
  })

  withErlang('may be an iolist or a string', async () => {
    await using meeting = await meet()
    for (const [body, text] of [
      ['"Hello"', 'Hello'],
      ['[<<"a">>, "bc", [$d, [<<"e">> | <<"f">>]]]', 'abcdef'],
      ['[71, 114, 252, 223, 101]', 'Grüße'],
      ['binary_to_list(<<"Grüße"/utf8>>)', 'Grüße'],
      ['[26085, 26412, <<"!">>]', '日本!'],
      ['<<"日本"/utf8>>', '日本'],
      ['lists:duplicate(65536, $x)', 'x'.repeat(65_536)],
    ] as const) {
      const got = await arriving(meeting, () =>
        meeting.node.run(`{any, '${COMET_NODE}'} ! {123, ${body}}.`),
      )
      expect(got).toBe(chunk(text))
    }
  })

  withErlang('to a user without a stream is dropped and counted', async () => {
    await using meeting = await meet()
    await meeting.node.run(`{any, '${COMET_NODE}'} ! {124, <<"Hello">>}.`)
    await waitFor('the message', async () => {
      return (await meeting.server.stats()).messages.dropped === 1
    })
    expect(await call(meeting, '{124, <<"Hello">>}')).toBe('{ok,0}')
  })

  withErlang('about a subject goes to the subject and all who follow', async () => {
    await using meeting = await meet()
    const { server, node } = meeting
    await using follower = await RawClient.stream(server.publicPort, 7)
    await follow(server, 123, [7, 8])
    const got = await arriving(meeting, async () => {
      await node.run(`{any, '${COMET_NODE}'} ! {subject, 123, <<"to both">>}.`)
      expect(await call(meeting, '{subject, 123, <<"again">>}')).toBe('{ok,2}')
      expect(await call(meeting, '{send, 123, <<"as in 2008">>}')).toBe('{ok,2}')
      expect(await call(meeting, '{123, <<"to one">>}')).toBe('{ok,1}')
    })
    const both = chunk('to both') + chunk('again') + chunk('as in 2008')
    expect(got).toBe(both + chunk('to one'))
    expect(await follower.received('as in 2008')).toEndWith(both)
  })

  withErlang(
    'may be one of many in a list, of which bad ones are refused by their place',
    async () => {
      await using meeting = await meet()
      const got = await arriving(meeting, async () => {
        await meeting.node.run(
          `{any, '${COMET_NODE}'} ! [{123, <<"1">>}, {subject, 123, "2"}, {123, ""}, {123, [$3]}].`,
        )
        expect(await call(meeting, '[{123, "4"}, {124, "x"}, {123, "5"}]')).toBe('{ok,2}')
        expect(await call(meeting, '[]')).toBe('{ok,0}')
        expect(await call(meeting, '[{123, "6"}, nonsense, {0, "x"}, {123, <<255>>}]')).toMatch(
          /^\{partial,1,\[\{2,\{invalid_message,<<.*>>\}\},\{3,\{invalid_message,.*\{4,\{invalid_utf8,/,
        )
      })
      expect(got).toBe(['1', '2', '3', '4', '5', '6'].map(chunk).join(''))
      expect((await meeting.server.stats()).messages.rejected).toBe(4)
    },
  )
})

/** A stream of a user with a name, once comet counts it. */
async function streamOf(server: CometServer, name: string): Promise<RawClient> {
  const before = await connectionsOf(server, name)
  const client = await RawClient.open(server.publicPort, get(`/stream/${name}?format=raw`))
  await waitFor('the stream', async () => (await connectionsOf(server, name)) > before)
  return client
}

describe('a name', () => {
  withErlang('may be a binary or an atom, in any message and in a list of them', async () => {
    await using meeting = await meet()
    const { server, node } = meeting
    await using alice = await streamOf(server, 'alice')
    await using bob = await streamOf(server, 'bob@example.org')
    await follow(server, 'alice', ['bob@example.org', 7])
    await node.run(`{any, '${COMET_NODE}'} ! {<<"alice">>, <<"binary">>}.`)
    await node.run(`gen_server:cast(${COMET}, {alice, <<"atom">>}).`)
    await node.run(`{any, '${COMET_NODE}'} ! [{alice, "1"}, {<<"bob@example.org">>, "2"}].`)
    expect(await call(meeting, '{subject, alice, <<"both">>}')).toBe('{ok,2}')
    expect(await call(meeting, '{send, <<"alice">>, <<"both">>}')).toBe('{ok,2}')
    expect(await call(meeting, '{\'bob@example.org\', <<"last">>}')).toBe('{ok,1}')
    expect(await call(meeting, '[{alice, "last"}, {carol, "x"}, {<<"7">>, "x"}]')).toMatch(
      /^\{partial,1,\[\{3,\{invalid_message,<<"A user or subject is a name.+">>\}\}\]\}$/,
    )
    const got = (texts: readonly string[]) => texts.map(chunk).join('')
    const both = ['both', 'both', 'last']
    expect(await alice.received(chunk('last'))).toEndWith(got(['binary', 'atom', '1', ...both]))
    expect(await bob.received(chunk('last'))).toEndWith(got(['2', ...both]))
  })

  withErlang('has connections like a number, also with workers', async () => {
    await using meeting = await meet(['--workers', '2'])
    const { server } = meeting
    expect(await call(meeting, '{online, alice}')).toBe('0')
    await using first = await streamOf(server, 'alice')
    await using second = await streamOf(server, 'alice')
    for (const user of ['alice', '<<"alice">>']) {
      expect(await call(meeting, `{online, ${user}}`)).toBe('2')
      expect(await call(meeting, `{${user}, <<"x">>}`)).toBe('{ok,2}')
    }
    for (const client of [first, second]) await client.received(chunk('x') + chunk('x'))
  })

  withErlang('is not what stands for a word of a message or for no value', async () => {
    await using meeting = await meet()
    for (const word of ['subject', 'send', 'undefined', 'nil', 'is_auth']) {
      await meeting.node.run(`{any, '${COMET_NODE}'} ! {${word}, <<"x">>}.`)
    }
    await meeting.node.run(`gen_server:cast(${COMET}, {online, <<"x">>}).`)
    expect(await call(meeting, '{subject, <<"x">>}')).toMatch(
      /^\{error,\{invalid_message,<<"The atom subject is no user; .+">>\}\}$/,
    )
    expect(await call(meeting, '{online, <<"x">>}')).toBe('0')
    expect((await meeting.server.stats()).messages).toMatchObject({ accepted: 0, rejected: 7 })
  })
})

describe('a call', () => {
  withErlang('is told how many connections the message was handed to', async () => {
    await using meeting = await meet()
    const { server } = meeting
    expect(await call(meeting, '{online, 123}')).toBe('0')
    await using first = await RawClient.stream(server.publicPort, 123)
    await using second = await RawClient.stream(server.publicPort, 123)
    expect(await call(meeting, '{send, 123, <<"x">>}')).toBe('{ok,2}')
    expect(await call(meeting, '{online, 123}')).toBe('2')
    second.close()
    await waitFor('it to go', async () => (await connectionsOf(server, 123)) === 1)
    expect(await call(meeting, '{online, 123}')).toBe('1')
    expect(await first.received('x')).toEndWith(chunk('x'))
  })

  withErlang(
    'that is not understood is answered, counted, and the connection lives on',
    async () => {
      await using meeting = await meet()
      const refused = /^\{error,\{(invalid_message|unknown_user),<<".+">>\}\}$/
      const requests = [
        ...[
          'foo',
          '{}',
          '#{a => 1}',
          '{send, 123}',
          '{online, nil}',
          '{123, foo}',
          '1.5',
          '"text"',
        ],
        ...['{-1, <<"x">>}', '{1 bsl 80, <<"x">>}', '{2147483648, <<"x">>}', '<<>>', 'self()'],
        ...['make_ref()', 'fun erlang:self/0', 'fun() -> 1 end', '<<1:3>>', '{123, <<1:3>>}'],
        ...['{123, [1|2]}', '{123, [-1]}', '{123, [55296]}', '{unknown, 123, <<"x">>}'],
      ]
      for (const request of requests) {
        expect([request, await call(meeting, request)]).toEqual([
          request,
          expect.stringMatching(refused),
        ])
      }
      expect(await call(meeting, '{123, <<>>}')).toStartWith('{error,{message_empty,')
      expect(await call(meeting, '{123, binary:copy(<<"x">>, 65537)}')).toStartWith(
        '{error,{message_too_large,',
      )
      await meeting.node.run(`{any, '${COMET_NODE}'} ! nonsense.`)
      await meeting.node.run(`{any, '${COMET_NODE}'} ! {'$gen_call', nobody, {online, 1}}.`)
      expect(await call(meeting, '{online, 123}')).toBe('0')
      const { messages } = await meeting.server.stats()
      expect(messages).toMatchObject({ accepted: 0, rejected: requests.length + 4 })
      await meeting.server.logged('"event":"erlang_refused"')
      expect(meeting.server.stderr).not.toContain('"event":"bug"')
    },
  )

  withErlang(
    'is answered within a second when a worker hangs, and says what it does not know',
    async () => {
      await using meeting = await meet(['--workers', '2'])
      const { server } = meeting
      await using client = await RawClient.stream(server.publicPort, 123)
      const holder = (await server.stats()).workers.findIndex(({ open }) => open === 1)
      const pid = await signal(server, holder, 'SIGSTOP')
      const ask = (request: string) =>
        meeting.node.run(`gen_server:call(${COMET}, ${request}, 5000).`)
      expect(await ask('{123, "one"}')).toBe('{ok,0,[{unknown,1}]}')
      expect(await ask('[{123, "two"}, {124, "x"}]')).toBe('{ok,0,[{unknown,1}]}')
      expect(await ask('[{123, "three"}, bad]')).toMatch(
        /^\{partial,0,\[\{2,\{invalid_message,<<.+>>\}\}\],\[\{unknown,1\}\]\}$/,
      )
      process.kill(pid, 'SIGCONT')
      expect(await client.received(chunk('three'))).toContain(chunk('one') + chunk('two'))
      expect(await ask('{123, "four"}')).toBe('{ok,1}')
    },
  )

  withErlang('of another kind than gen_server’s is answered too', async () => {
    await using meeting = await meet()
    const answer = /\{?invalid_message,<<"Only calls by gen_server:call/
    for (const ask of [
      `gen:call(${COMET}, label, {online, 1})`,
      `gen_event:call(${COMET}, handler, request)`,
      `sys:get_state(${COMET})`,
    ]) {
      expect(await meeting.node.run(`catch ${ask}.`)).toMatch(answer)
    }
    expect((await meeting.server.stats()).messages).toMatchObject({ accepted: 0, rejected: 3 })
  })

  withErlang('with an improper list is refused as a whole', async () => {
    await using meeting = await meet()
    const got = await arriving(meeting, async () => {
      for (const tail of ['{123, "b"}', 'foo', '106', '<<"b">>', '#{}']) {
        const request = `[{123, "a"} | ${tail}]`
        expect([request, await call(meeting, request)]).toEqual([
          request,
          expect.stringMatching(/^\{error,\{invalid_message,<<"The list is improper.+">>\}\}$/),
        ])
      }
      await meeting.node.run(`{any, '${COMET_NODE}'} ! [{123, "a"} | {123, "b"}].`)
      await meeting.node.run(`gen_server:cast(${COMET}, [{123, "a"} | {123, "b"}]).`)
      expect(await call(meeting, '[{123, "c"} | [{123, "d"}]]')).toBe('{ok,2}')
    })
    expect(got).toBe(['c', 'd'].map(chunk).join(''))
    expect((await meeting.server.stats()).messages).toMatchObject({ accepted: 3, rejected: 7 })
  })

  withErlang(
    'may be made in any of the ways of gen_server, by many processes at once',
    async () => {
      await using meeting = await meet()
      const { node } = meeting
      expect(
        await node.run(`gen_server:multi_call(['${COMET_NODE}'], comet, {online, 1}, 5000).`),
      ).toBe(`{[{${COMET_NODE},0}],[]}`)
      expect(
        await node.run(
          `gen_server:receive_response(gen_server:send_request(${COMET}, {online, 1}), 5000).`,
        ),
      ).toBe('{reply,0}')
      const many = `
      Self = self(),
      Ask = fun(I) -> Self ! {I, gen_server:call(${COMET}, {I, <<"x">>})} end,
      [spawn(fun() -> Ask(I) end) || I <- lists:seq(1, 1000)],
      [receive {I, Answer} -> Answer end || I <- lists:seq(1, 1000)] =:=
        lists:duplicate(1000, {ok, 0}).`
      expect(await node.run(many)).toBe('true')
      await waitFor('all calls to be answered', async () => {
        const [connection] = (await erlangStats(meeting.server)).connections
        return connection?.callsPending === 0
      })
    },
  )

  withErlang('to run something on comet fails as on a node that cannot', async () => {
    await using meeting = await meet()
    const { node } = meeting
    expect(await node.run(`rpc:call('${COMET_NODE}', erlang, node, []).`)).toBe('{badrpc,notsup}')
    await node.run(`spawn('${COMET_NODE}', fun() -> ok end).`)
    expect(await call(meeting, '{online, 1}')).toBe('0')
  })
})
