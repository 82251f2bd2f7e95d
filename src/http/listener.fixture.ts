// A real port for tests, whose requests are answered by a function of the web.

import { systemClock } from '../core/clock.ts'
import type { Exchange } from './exchange.ts'
import { type Listener, type ListenerOptions, listen } from './listener.ts'
import { answerByApp, type Fetch } from './web.ts'

/** Answers with the method, the path and the body, read in parts. */
export async function echo(exchange: Exchange): Promise<void> {
  const parts: Uint8Array[] = []
  for (let part = await exchange.readBody(); part !== null; part = await exchange.readBody()) {
    parts.push(part)
  }
  const body = Buffer.concat([Buffer.from(`${exchange.method} ${exchange.path} `), ...parts])
  exchange.reply({ status: 200, body })
}

export type TestPortOptions = Partial<ListenerOptions> & { readonly fetch?: Fetch }

/** Opens a port on a number that the system chooses; it answers `yes`. Stopped when disposed of. */
export function listening({
  fetch = () => new Response('yes'),
  ...options
}: TestPortOptions = {}): Listener & AsyncDisposable {
  const onBug = (error: unknown) => {
    throw error
  }
  const result = listen({
    isShared: false,
    addresses: [{ hostname: '127.0.0.1', port: 0 }],
    handle: (exchange) => answerByApp(exchange, fetch),
    rejection: ({ status, text }) => ({ status, body: text }),
    headMs: () => 30_000,
    idleMs: 30_000,
    clock: systemClock,
    onBug,
    ...options,
  })
  if (!result.ok) throw new Error(result.why)
  const { value } = result
  const stop = async () => {
    await value.stop(0)
  }
  return Object.assign(value, { [Symbol.asyncDispose]: stop })
}
