// Real Erlang nodes for the end-to-end tests: an epmd of the test's own, nodes that evaluate what
// they are told, and a comet among them. Nothing of it uses the epmd of the machine.

import { test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { withTimeout } from '../../src/core/deadline.ts'
import type { NodeFigures } from '../../src/erlang/node-figures.ts'
import { ChildProcess, waitFor } from './child-process.ts'
import { type CometServer, freePort, serve } from './comet.ts'
import { makeFolder } from './folder.ts'

const ERL = Bun.which('erl')
const EPMD = Bun.which('epmd')

/** Left out, and said to be, where Erlang is not installed. */
export const withErlang = test.skipIf(ERL === null || EPMD === null)

if (ERL === null || EPMD === null) {
  console.error(
    "Left out: tests with real Erlang nodes. They need erl and epmd, Debian's erlang-base.",
  )
}

export const COOKIE = 'secretcookie'
export const MASTER = 'httpdmaster@localhost'
export const COMET_NODE = 'c1@localhost'

/** Reads expressions, a line each, and writes what each is worth. */
const EVALUATE = `
  io:setopts([{encoding, unicode}]),
  Loop = fun Loop(Bindings) ->
    case io:get_line("") of
      Line when is_list(Line) ->
        {ok, Tokens, _} = erl_scan:string(Line),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {Outcome, Next} =
          try erl_eval:exprs(Expressions, Bindings) of
            {value, Value, Bound} -> {{value, Value}, Bound}
          catch Class:Reason -> {{Class, Reason}, Bindings}
          end,
        io:format("~0tp~n", [Outcome]),
        Loop(Next);
      _ -> halt()
    end
  end,
  Loop(erl_eval:new_bindings()).`

/** Milliseconds for a response of epmd. */
const NAMES_MS = 10_000
/** Milliseconds for one expression; the longest send a hundred thousand messages. */
const EVALUATE_MS = 30_000

export interface NodeOptions {
  readonly name?: string
  readonly cookie?: string
  readonly args?: readonly string[]
}

/** The nodes of one test, with an epmd of their own. */
export class Erlang implements AsyncDisposable {
  readonly env: Record<string, string>
  readonly #port: number
  #epmd: ChildProcess | null = null

  private constructor(port: number) {
    this.#port = port
    this.env = { ERL_EPMD_PORT: String(port) }
  }

  static async start(): Promise<Erlang> {
    const erlang = await Erlang.withoutEpmd()
    try {
      await erlang.startEpmd()
      return erlang
    } catch (error) {
      await erlang.stopEpmd()
      throw error
    }
  }

  static async withoutEpmd(): Promise<Erlang> {
    return new Erlang(freePort())
  }

  async startEpmd(): Promise<void> {
    const where = ['-address', '127.0.0.1', '-port', String(this.#port)]
    this.#epmd = new ChildProcess([String(EPMD), ...where])
    await waitFor('epmd', async () => (await this.names()) !== null)
  }

  async stopEpmd(): Promise<void> {
    await this.#epmd?.[Symbol.asyncDispose]()
  }

  /** The names that are registered; null if epmd does not answer. */
  async names(): Promise<string[] | null> {
    const asking = Bun.$`epmd -port ${this.#port} -names`.quiet().nothrow()
    const asked = await withTimeout('epmd to answer', asking, NAMES_MS)
    if (asked.exitCode !== 0) return null
    return [...asked.text().matchAll(/^name (\S+) at/gm)].map(([, name]) => String(name))
  }

  /** Starts a node and waits until it evaluates. */
  async node(options: NodeOptions = {}): Promise<ErlangNode> {
    const { name = MASTER, cookie = COOKIE, args = ['-sname', name] } = options
    const fixed = ['-noshell', '-start_epmd', 'false', '-setcookie', cookie]
    const command = [String(ERL), ...fixed, ...args, '-eval', EVALUATE]
    const node = new ErlangNode(command, { name: 'erl', stdin: 'pipe', env: this.env })
    await node.run('ok.')
    return node
  }

  /** Starts a comet that connects to the node of the usual name. */
  comet(args: readonly string[] = []): Promise<CometServer> {
    return this.serve(['--erlang-node', MASTER, '--erlang-cookie', COOKIE, ...args])
  }

  /** Starts a comet that is a node, told what else to be. */
  serve(args: readonly string[], env: Record<string, string> = {}): Promise<CometServer> {
    const name = args.includes('--erlang-name') ? [] : ['--erlang-name', COMET_NODE]
    return serve([...name, ...args], { env: { ...this.env, ...env } })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopEpmd()
  }
}

/** A running `erl`. */
export class ErlangNode extends ChildProcess {
  /** What an expression is worth, as Erlang writes it; what it throws is thrown. */
  async run(expression: string): Promise<string> {
    const begin = this.stdout.length
    this.send(expression.replaceAll('\n', ' '))
    // The node itself prints messages among the outcomes.
    const outcome = await waitFor(
      `the outcome of ${expression} after: ${this.stderr}${this.stdout}`,
      () => /^\{(value|error|exit|throw),(.*)\}\n/m.exec(this.stdout.slice(begin)) ?? undefined,
      EVALUATE_MS,
    )
    const [, kind, value = ''] = outcome
    if (kind !== 'value') throw new Error(`${expression} ended with ${kind} ${value}`)
    return value
  }
}

/** A node and a comet that are connected. */
export interface Meeting extends AsyncDisposable {
  readonly erlang: Erlang
  readonly node: ErlangNode
  readonly server: CometServer
}

/** @param args of the comet */
export async function meet(args: readonly string[] = [], options: NodeOptions = {}) {
  await using stack = new AsyncDisposableStack()
  const erlang = stack.use(await Erlang.start())
  const node = stack.use(await erlang.node(options))
  const server = stack.use(await erlang.comet(args))
  await connected(server)
  const kept = stack.move()
  return { erlang, node, server, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** The part of `/stats` about Erlang. */
export async function erlangStats(server: CometServer): Promise<NodeFigures> {
  const { erlang } = await server.stats()
  if (erlang === null) throw new Error('this comet is no Erlang node')
  return erlang
}

/** Waits until a comet is connected with the node it was told of. */
export async function connected(server: CometServer): Promise<void> {
  await waitFor('the connection with Erlang', async () => {
    return (await erlangStats(server)).peer?.state === 'connected'
  })
}

/** Waits until it is not. */
export async function disconnected(server: CometServer): Promise<string> {
  return waitFor('the connection with Erlang to end', async () => {
    const { peer } = await erlangStats(server)
    return peer?.state !== 'connected' && (peer?.why ?? undefined)
  })
}

/** A file that a cookie is in, as Erlang wants it. */
export async function cookieFile(text = `${COOKIE}\n`, mode = 0o400) {
  const folder = await makeFolder()
  const path = `${folder.path}/cookie`
  await Bun.write(path, text)
  await chmod(path, mode)
  return { path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

/** How often a line of the log has an event. */
export function events(server: CometServer, event: string): number {
  return server.stderr.split(`"event":"${event}"`).length - 1
}
