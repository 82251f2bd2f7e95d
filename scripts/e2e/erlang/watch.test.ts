// Goal: Erlang processes that watch comet, by a monitor or a link, are told what became of it.
// Method: a real `erl`, and comet ended in order, killed, and without the process that is watched.

import { describe, expect } from 'bun:test'
import { COMET_NODE, type Meeting, meet, withErlang } from '../../support/erlang.ts'
import { chunk, RawClient } from '../../support/raw-client.ts'

const COMET = `{comet, '${COMET_NODE}'}`

/** Binds comet's process, and one that it has not: the same with another number. */
const PROCESSES = `
  P = gen_server:call(${COMET}, whereis),
  <<131, 88, Tag, Length:16, Name:Length/binary, Id:32, Rest/binary>> = term_to_binary(P),
  Q = binary_to_term(<<131, 88, Tag, Length:16, Name/binary, (Id + 1):32, Rest/binary>>),
  process_flag(trap_exit, true).`

/** The next thing that the node is told of what it watches: why it ended, and how that is known. */
function told({ node }: Meeting): Promise<string> {
  return node.run(`
    receive
      {'DOWN', _, process, _, Why} -> {Why, down};
      {'EXIT', From, Why} -> {Why, From};
      {nodedown, Node} -> {nodedown, Node}
    after 10000 -> nothing
    end.`)
}

describe('a monitor', () => {
  withErlang('on a name fires with shutdown when comet ends in order', async () => {
    await using meeting = await meet()
    await meeting.node.run(`erlang:monitor(process, ${COMET}).`)
    meeting.server.kill('SIGTERM')
    expect(await told(meeting)).toBe('{shutdown,down}')
    expect((await meeting.server.finished).exitCode).toBe(0)
  })

  withErlang('fires with shutdown however many there are', async () => {
    await using meeting = await meet()
    const { node, server } = meeting
    await node.run(`[erlang:monitor(process, ${COMET}) || _ <- lists:seq(1, 60000)], ok.`)
    // What is answered shows that all before it has been taken.
    await node.run(`gen_server:call(${COMET}, {online, 1}).`)
    server.kill('SIGTERM')
    const all = `[receive {'DOWN', _, process, _, Why} -> Why after 10000 -> nothing end
      || _ <- lists:seq(1, 60000)] =:= lists:duplicate(60000, shutdown).`
    expect(await node.run(all)).toBe('true')
  })

  withErlang('fires with noconnection when comet is killed', async () => {
    await using meeting = await meet()
    await meeting.node.run(`erlang:monitor(process, ${COMET}).`)
    meeting.server.kill('SIGKILL')
    expect(await told(meeting)).toBe('{noconnection,down}')
  })

  withErlang('that was taken back does not fire', async () => {
    await using meeting = await meet()
    await meeting.node.run(`M = erlang:monitor(process, ${COMET}), erlang:demonitor(M).`)
    await meeting.node.run(`erlang:monitor_node('${COMET_NODE}', true).`)
    meeting.server.kill('SIGTERM')
    expect(await told(meeting)).toBe(`{nodedown,${COMET_NODE}}`)
  })

  withErlang('on a process fires as one on a name, at once if comet has it not', async () => {
    await using meeting = await meet()
    const { node } = meeting
    await node.run(PROCESSES)
    await node.run('N = erlang:monitor(process, Q).')
    expect(
      await node.run("receive {'DOWN', N, process, Q, Why1} -> Why1 after 10000 -> nothing end."),
    ).toBe('noproc')
    await node.run('erlang:monitor(process, P).')
    meeting.server.kill('SIGTERM')
    expect(await told(meeting)).toBe('{shutdown,down}')
  })
})

describe('a link', () => {
  withErlang('ends with shutdown when comet ends in order', async () => {
    await using meeting = await meet()
    await meeting.node.run(PROCESSES)
    await meeting.node.run('link(P).')
    meeting.server.kill('SIGTERM')
    expect(await told(meeting)).toStartWith('{shutdown,<')
  })

  withErlang('that was undone is told of nothing', async () => {
    await using meeting = await meet()
    const { node } = meeting
    await node.run(PROCESSES)
    await node.run(`link(P), unlink(P), erlang:monitor_node('${COMET_NODE}', true).`)
    meeting.server.kill('SIGTERM')
    expect(await told(meeting)).toBe(`{nodedown,${COMET_NODE}}`)
  })

  withErlang('to a process that comet has not ends with noproc', async () => {
    await using meeting = await meet()
    await meeting.node.run(PROCESSES)
    await meeting.node.run('link(Q).')
    expect(await told(meeting)).toStartWith('{noproc,<')
  })

  withErlang('whose other end exits, or signals to exit, affects no other', async () => {
    await using meeting = await meet()
    const { node } = meeting
    await node.run(PROCESSES)
    await node.run('spawn(fun() -> link(P), exit(because) end).')
    await node.run('exit(P, kill), group_leader(self(), P).')
    expect(await node.run(`gen_server:call(${COMET}, {online, 1}).`)).toBe('0')
  })
})

withErlang(
  'comet has the one process, which takes messages too; those to others are lost',
  async () => {
    await using meeting = await meet()
    const { node, server } = meeting
    await using client = await RawClient.stream(server.publicPort, 123)
    await node.run(PROCESSES)
    await node.run('Q ! {123, <<"lost">>}, P ! {123, <<"Hello">>}.')
    expect(await client.received('Hello')).toEndWith(`Id: 123\n\r\n${chunk('Hello')}`)
    await node.run(`seq_trace:set_token(send, true), P ! {123, <<"traced">>},
    {any, '${COMET_NODE}'} ! {123, <<"as well">>}, seq_trace:set_token([]).`)
    expect(await client.received('as well')).toEndWith(chunk('traced') + chunk('as well'))
  },
)
