// Opens: streams that are opened with a token, beside streams that need none. A server without
// keys, one with a secret and one with a public key stand side by side, and a run opens as many
// streams at each, one server after the other: `comet flood` opens them for one user with one
// token, which the server checks for each. Streams a second are the flood's own figure, from its
// first to its last; CPU time is the server's, from before the first until all are open.

import { chmod } from 'node:fs/promises'
import { makeFolder } from '../../scripts/support/folder.ts'
import { ED25519, publicPem, SECRET, signToken } from '../../src/identity/token.fixture.ts'
import type { Case } from '../harness/case.ts'
import { readJson, type Server, startFlood, startServer, stopFlawless } from '../harness/comet.ts'

/** So many that each end stays below 20,000 open files. */
const STREAMS = 10_000
const USER = 123
const TTL_SECONDS = 86_400
/** Milliseconds for the answer to a client without a token. */
const REFUSED_MS_MAX = 10_000

type Way = 'anonymous' | 'secret' | 'publicKey'
type Figure = `${Way}${'PerSecond' | 'Micros'}`

export const opens: Case<Figure> = {
  name: 'opens',
  figures: {
    anonymousPerSecond: { title: 'streams opened without keys', unit: 'a second', digits: 0 },
    anonymousMicros: { title: '  CPU time of the server, each', unit: 'µs', digits: 1 },
    secretPerSecond: { title: 'streams opened with HS256', unit: 'a second', digits: 0 },
    secretMicros: { title: '  CPU time of the server, each', unit: 'µs', digits: 1 },
    publicKeyPerSecond: { title: 'streams opened with EdDSA', unit: 'a second', digits: 0 },
    publicKeyMicros: { title: '  CPU time of the server, each', unit: 'µs', digits: 1 },
  },
  runsMin: 7,
  open: async () => {
    const stack = new AsyncDisposableStack()
    try {
      const [anonymous, secret, publicKey] = await startAll(stack)
      return {
        run: async () => ({
          ...(await openAll('anonymous', anonymous)),
          ...(await openAll('secret', secret)),
          ...(await openAll('publicKey', publicKey)),
        }),
        [Symbol.asyncDispose]: () => stack.disposeAsync(),
      }
    } catch (error) {
      await stack.disposeAsync()
      throw error
    }
  },
}

/** A server, and how its streams are opened. */
interface Side {
  readonly server: Server
  readonly path: string
  readonly args: readonly string[]
}

async function startAll(stack: AsyncDisposableStack): Promise<[Side, Side, Side]> {
  const folder = stack.use(await makeFolder())
  const start = async (args: readonly string[]) => stack.use(await startServer({ args }))
  const claims = { sub: String(USER), exp: Math.floor(Date.now() / 1_000) + TTL_SECONDS }
  const secretFile = await keyFile(`${folder.path}/secret`, SECRET)
  const publicFile = await keyFile(`${folder.path}/public.pem`, publicPem(ED25519))
  const secret = await start(['--jwt-secret-file', secretFile])
  const publicKey = await start(['--jwt-key-file', publicFile])
  for (const server of [secret, publicKey]) await checkRefused(server)
  const byToken = (server: Server, token: string): Side => {
    return { server, path: '/stream', args: ['--header', `Authorization: Bearer ${token}`] }
  }
  return [
    { server: await start(['--anonymous']), path: `/stream/${USER}`, args: [] },
    byToken(secret, signToken({ alg: 'HS256' }, claims, SECRET)),
    byToken(publicKey, signToken({ alg: 'EdDSA' }, claims, ED25519.privateKey)),
  ]
}

async function keyFile(path: string, text: string): Promise<string> {
  await Bun.write(path, text)
  // A secret that others may read is refused.
  await chmod(path, 0o600)
  return path
}

/** Else the tokens might not be what opens the streams. */
async function checkRefused({ publicUrl }: Server): Promise<void> {
  const signal = AbortSignal.timeout(REFUSED_MS_MAX)
  const { status } = await fetch(`${publicUrl}/stream`, { signal })
  if (status !== 401) throw new Error(`a client without a token was answered ${status}`)
}

async function openAll<W extends Way>(way: W, { server, path, args }: Side) {
  const before = await server.stats()
  const url = `${server.publicUrl}${path}?format=raw`
  await using flood = startFlood(url, STREAMS, { args, output: '--json' })
  await server.streamsOpen(STREAMS)
  const after = await server.stats()
  await checkUser(server)
  const { connect } = await stopFlawless(flood)
  await server.streamsOpen(0)
  const micros = ((after.process.cpuSeconds - before.process.cpuSeconds) * 1e6) / STREAMS
  const figures = { [`${way}PerSecond`]: connect.perSecond, [`${way}Micros`]: micros }
  return figures as Record<`${W}${'PerSecond' | 'Micros'}`, number>
}

/** All streams are those of the user whom the token names. */
async function checkUser({ controlUrl }: Server): Promise<void> {
  const presence = (await readJson(controlUrl, `/users/${USER}`)) as { connections: number }
  if (presence.connections === STREAMS) return
  throw new Error(`the user has ${presence.connections} of ${STREAMS} streams`)
}
