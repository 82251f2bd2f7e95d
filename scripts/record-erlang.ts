// Records what two real Erlang nodes say to each other, for the tests of comet's own distribution
// protocol. A proxy between them takes away the flags that comet does not offer either, so that
// each speaks as it would speak with comet. The fixtures say what to record, and get the bytes.
//
//   bun scripts/record-erlang.ts     src/erlang/recorded.fixture.ts and recorded.terms.fixture.ts
//
// To record more, write a source (and its packets' keys) without bytes into a fixture, and run it.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { withTimeout } from '../src/core/deadline.ts'
import { COOKIE, EXCHANGES, NODE_A, NODE_B } from '../src/erlang/recorded.fixture.ts'
import { TERMS } from '../src/erlang/recorded.terms.fixture.ts'
import { ChildProcess, waitFor } from './support/child-process.ts'

const root = `${import.meta.dir}/..`
/** The nodes die after this, and answer within this: their output may outlive them. */
const NODE_MS_MAX = 20_000
const PACKET_MS_MAX = 5_000

/** Each of them would replace the plain packets and operations by others. */
const CLEARED_FLAGS = [
  0x2n, // DFLAG_ATOM_CACHE
  0x40n, // DFLAG_HIDDEN_ATOM_CACHE
  0x2000n, // DFLAG_DIST_HDR_ATOM_CACHE
  0x40_0000n, // DFLAG_EXIT_PAYLOAD
  0x80_0000n, // DFLAG_FRAGMENTS
  0x1_0000_0000n, // DFLAG_SPAWN
].reduce((flags, flag) => flags | flag)

const OPERATIONS: Readonly<Record<number, string>> = {
  1: 'Link',
  3: 'Exit',
  6: 'RegSend',
  8: 'Exit2',
  16: 'RegSendTt',
  19: 'MonitorP',
  20: 'DemonitorP',
  21: 'MonitorPExit',
  22: 'SendSender',
  33: 'AliasSend',
  35: 'UnlinkId',
  36: 'UnlinkIdAck',
}

/** What a node runs: it evaluates line by line, and answers each with its value's bytes in hex. */
const EVALUATE = `
  Loop = fun Loop(Bindings) ->
    Line = io:get_line(''),
    Line =:= eof andalso halt(),
    try
      {ok, Tokens, _} = erl_scan:string(Line),
      {ok, Forms} = erl_parse:parse_exprs(Tokens),
      {value, Value, More} = erl_eval:exprs(Forms, Bindings),
      io:format("ok ~s~n", [binary:encode_hex(term_to_binary(Value))]),
      More
    of
      Known -> Loop(Known)
    catch
      _:Reason -> io:format("failed ~0tp~n", [Reason])
    end
  end,
  spawn(fun() -> io:setopts([{encoding, unicode}]), process_flag(trap_exit, true), Loop([]) end).`

/** Whom A speaks to on B. Its replies go the way of every gen_server, by alias. */
const ON_B = `
  Comet = fun Comet() ->
    receive
      {'$gen_call', From, pids} ->
        gen_server:reply(From, [spawn(timer, sleep, [infinity]) || _ <- "123"]);
      {'$gen_call', From, {send, _, _}} -> gen_server:reply(From, {ok, 1})
    end,
    Comet()
  end,
  register(comet, spawn(Comet)),
  register(any, spawn(timer, sleep, [infinity])),
  register(worker, spawn(fun() -> receive stop -> exit(shutdown) end end))`

/** What is said in the handshake, by either side and in order. */
const FROM_A = ['sendName', 'challengeReply']
const FROM_B = ['status', 'challenge', 'challengeAck']

/** What was heard at the proxy. */
class Recording {
  /** As it was passed on. */
  readonly handshake: Record<string, string> = {}
  /** Before the flags were taken away. */
  readonly asSent: Record<string, string> = {}
  readonly tickers = new Set<string>()
  /** Those of the exchange under way, by sender and operation. */
  packets = new Map<string, string>()

  /** Passes on what one side says to the other. */
  relay(sender: 'a' | 'b', from: Socket, to: Socket): void {
    const handshake = sender === 'a' ? [...FROM_A] : [...FROM_B]
    const lengthBytes = () => (handshake.length > 0 ? 2 : 4)
    readFrames(from, lengthBytes, (message, whole) => {
      const name = handshake.shift()
      if (name === undefined) this.#hear(sender, message)
      else this.#greet(name, message)
      to.write(whole)
    })
    // The nodes are killed in the end, which is no failure of what was recorded.
    from.on('error', () => to.destroy())
  }

  /** Keeps a message of the handshake, and takes the flags from it in place. */
  #greet(name: string, message: Buffer): void {
    if (message.toString('latin1', 0, 1) === 'N') {
      this.asSent[name] = message.toString('hex')
      message.writeBigUInt64BE(message.readBigUInt64BE(1) & ~CLEARED_FLAGS, 1)
    }
    this.handshake[name] = message.toString('hex')
  }

  #hear(sender: string, packet: Buffer): void {
    const hex = packet.toString('hex')
    // Pass-through, a version, and a tuple whose first element is the operation, a small integer.
    const operation = /^708368..61(..)/.exec(hex)?.[1] ?? ''
    const key = `${sender}${OPERATIONS[Number.parseInt(operation, 16)] ?? hex}`
    if (packet.length === 0) this.tickers.add(sender)
    else this.packets.set(this.packets.has(key) ? `${key} again` : key, hex)
  }

  /** What has no key fails here or, if it comes late, at the next exchange. */
  async exchange(a: ErlangNode, source: string, keys: readonly string[]): Promise<Packets> {
    this.packets = new Map()
    await a.ask(source)
    const isWhole = () => keys.every((key) => this.packets.has(key))
    await waitFor(`${keys} of ${source}`, isWhole, PACKET_MS_MAX)
    const found = [...this.packets.keys()]
    if (found.length > keys.length) throw new Error(`${source} made ${found}, not only ${keys}`)
    return Object.fromEntries(keys.map((key) => [key, this.packets.get(key) ?? '']))
  }

  /** Fails unless both digests are those of the cookie and the challenges. */
  checkDigests(): void {
    const [challenge, reply, ack] = ['challenge', 'challengeReply', 'challengeAck'].map((name) =>
      Buffer.from(this.handshake[name] ?? '', 'hex'),
    ) as [Buffer, Buffer, Buffer]
    const digest = (number: number) => createHash('md5').update(`${COOKIE}${number}`).digest()
    const areRight =
      digest(challenge.readUInt32BE(9)).equals(reply.subarray(5)) &&
      digest(reply.readUInt32BE(1)).equals(ack.subarray(1))
    if (!areRight) throw new Error('the digests are not those of the cookie and the challenges')
  }
}

type Packets = Readonly<Record<string, string>>

/** Hands over what arrives, frame by frame; the length before a frame has 2 or 4 bytes. */
function readFrames(
  socket: Socket,
  lengthBytes: () => number,
  take: (frame: Buffer, whole: Buffer) => void,
): void {
  let rest = Buffer.alloc(0)
  socket.on('data', (part: Buffer) => {
    rest = Buffer.concat([rest, part])
    for (;;) {
      const start = lengthBytes()
      if (rest.length < start) return
      const end = start + rest.readUIntBE(0, start)
      if (rest.length < end) return
      const whole = rest.subarray(0, end)
      rest = rest.subarray(end)
      take(whole.subarray(start), whole)
    }
  })
}

/** Listens on a free port, and answers which. */
async function listen(accept: (socket: Socket) => void): Promise<number> {
  const server = createServer(accept).listen(0, '127.0.0.1').unref()
  await withTimeout('a port of the proxy', once(server, 'listening'), PACKET_MS_MAX)
  return (server.address() as AddressInfo).port
}

/** An EPMD whose every node listens, as it says, at a proxy to it; answers EPMD's port. */
async function startEpmd(recording: Recording): Promise<number> {
  const registered = new Map<string, Buffer>()
  return await listen((socket) => {
    const answer = async (request: Buffer) => {
      // ALIVE2_REQ and ALIVE2_X_RESP, or PORT_PLEASE2_REQ and PORT2_RESP.
      if (request[0] === 120) {
        registered.set(request.toString('utf8', 11, 11 + request.readUInt16BE(9)), request)
        // A creation above 2^31, of each its own. Left open, or the registration would end.
        return socket.write(Buffer.from([118, 0, 0xe3, 0x89, 0xab, request[11] ?? 0]))
      }
      const found = registered.get(request.toString('utf8', 1))
      if (found === undefined) return socket.end(Buffer.from([119, 1]))
      const port = await listen((asking) => {
        const asked = connect(found.readUInt16BE(1), '127.0.0.1')
        recording.relay('a', asking, asked)
        recording.relay('b', asked, asking)
      })
      // From the node's type on, the answer is what it registered with.
      return socket.end(Buffer.from([119, 0, port >> 8, port & 0xff, ...found.subarray(3)]))
    }
    readFrames(socket, () => 2, answer)
  })
}

interface ErlangNode extends AsyncDisposable {
  /** Evaluates on the node; answers with the value's bytes in hex. */
  ask(source: string): Promise<string>
}

/** Starts a node that knows no EPMD but ours; it is killed at the end of the scope. */
function startNode(name: string, epmdPort: number): ErlangNode {
  const dist = ['-sname', name, '-hidden', '-setcookie', COOKIE, '-start_epmd', 'false']
  const kernel = ['-kernel', 'net_ticktime', '4', 'inet_dist_use_interface', '{127,0,0,1}']
  const child = new ChildProcess(['erl', '-noshell', ...dist, ...kernel, '-eval', EVALUATE], {
    name,
    stdin: 'pipe',
    env: { ERL_EPMD_PORT: `${epmdPort}`, ERL_CRASH_DUMP_BYTES: '0' },
    timeoutMs: NODE_MS_MAX,
  })
  return {
    async ask(source) {
      child.send(`${source.replaceAll('\n', ' ')}.`)
      const value = await child.line(`an answer to ${source}`, (line) => line, NODE_MS_MAX)
      const hex = /^ok ([0-9A-F]+)$/.exec(value)?.[1]
      if (hex === undefined) throw new Error(`${name} answers ${value} to ${source}`)
      return hex.toLowerCase()
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

/** A value as TypeScript, which biome then formats. */
function literal(value: string | object): string {
  if (typeof value !== 'string') {
    return `{${Object.entries(value).map(([key, part]) => `${key}: ${literal(part)}`)}}`
  }
  const lines = value.length > 88 ? value.match(/.{1,83}(?: |$)|.{84}/gu) : null
  return (lines ?? [value]).map((line) => JSON.stringify(line)).join(' + ')
}

/** Puts new values in the place of a fixture's constants, which end with a blank line. */
async function fill(name: string, values: Record<string, string | object>): Promise<void> {
  const path = `src/erlang/${name}.fixture.ts`
  const text = await Bun.file(`${root}/${path}`).text()
  const filled = text.replace(/^export const (\w+) = (?:.+\n)+/gm, (old, constant: string) => {
    const value = values[constant]
    return value === undefined ? old : `export const ${constant} = ${literal(value)}\n`
  })
  await Bun.write(`${root}/${path}`, filled)
  await Bun.$`${process.execPath} x biome format --write ${path}`.cwd(root).quiet()
}

async function main(): Promise<void> {
  const recording = new Recording()
  const epmdPort = await startEpmd(recording)
  await using a = startNode(NODE_A, epmdPort)
  await using b = startNode(NODE_B, epmdPort)
  await b.ask(ON_B)
  const exchanges: Record<string, object> = {}
  for (const [name, { source, packets }] of Object.entries(EXCHANGES)) {
    const keys = Object.keys(packets)
    exchanges[name] = { source, packets: await recording.exchange(a, source, keys) }
  }
  const terms: Record<string, object> = {}
  for (const [name, { source }] of Object.entries(TERMS)) {
    terms[name] = { source, hex: await a.ask(source) }
  }
  await waitFor('ticks of both', () => recording.tickers.size === 2, PACKET_MS_MAX)
  recording.checkDigests()
  const release = await a.ask('list_to_binary(erlang:system_info(otp_release))')
  await fill('recorded', {
    OTP_RELEASE: Buffer.from(release.slice(12), 'hex').toString(),
    HANDSHAKE: recording.handshake,
    HANDSHAKE_AS_SENT: recording.asSent,
    EXCHANGES: exchanges,
  })
  await fill('recorded.terms', { TERMS: terms })
}

await main()
