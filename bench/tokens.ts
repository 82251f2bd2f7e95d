// Tokens: what the check of one costs, by its algorithm, as each stream with a token pays it once.
// One check after the other; the keys are imported before the clock starts.

import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { KeyAlgorithm } from '../src/hub/settings.ts'
import { parseJwk, secretKey } from '../src/identity/keys.ts'
import { TokenVerifier } from '../src/identity/token-verifier.ts'
import { type Case, nothingToClose } from './harness/case.ts'

const ALGORITHMS = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const satisfies readonly KeyAlgorithm[]
type Figure = (typeof ALGORITHMS)[number]

const CHECKS = 5_000
const SECRET = 'the secret of a benchmark, of more than 32 bytes'

const figureOf = (algorithm: Figure) => ({
  title: `check of a token signed by ${algorithm}`,
  unit: 'µs',
  digits: 1,
})

export const tokens: Case<Figure> = {
  name: 'tokens',
  figures: {
    HS256: figureOf('HS256'),
    RS256: figureOf('RS256'),
    ES256: figureOf('ES256'),
    EdDSA: figureOf('EdDSA'),
  },
  open: async () => ({ run, ...nothingToClose }),
}

async function run(): Promise<Record<Figure, number>> {
  const micros: [Figure, number][] = []
  for (const algorithm of ALGORITHMS) micros.push([algorithm, await microsPerCheck(algorithm)])
  return Object.fromEntries(micros) as Record<Figure, number>
}

async function microsPerCheck(algorithm: Figure): Promise<number> {
  const { verifier, token } = await signed(algorithm)
  const nowMs = Date.now()
  const check = async () => {
    const checked = await verifier.verify(token, nowMs)
    if (!checked.ok) throw new Error(`a valid token was refused: ${checked.why}`)
  }
  await check()
  const startedMs = performance.now()
  for (let checks = 0; checks < CHECKS; checks++) await check()
  return ((performance.now() - startedMs) * 1_000) / CHECKS
}

async function signed(algorithm: Figure) {
  const unsigned = new SignJWT({ comet: { read: ['news', 'room:*'] } })
    .setProtectedHeader({ alg: algorithm })
    .setSubject('123')
    .setIssuedAt()
    .setExpirationTime('1h')
  const rules = { issuers: [], audiences: [] }
  if (algorithm === 'HS256') {
    const verifier = new TokenVerifier({ keys: [secretKey(SECRET)], ...rules })
    return { verifier, token: await unsigned.sign(new TextEncoder().encode(SECRET)) }
  }
  const pair = await generateKeyPair(algorithm, { extractable: true })
  const key = parseJwk(await exportJWK(pair.publicKey))
  if (!key.ok) throw new Error(key.why)
  const verifier = new TokenVerifier({ keys: [key.value], ...rules })
  return { verifier, token: await unsigned.sign(pair.privateKey) }
}
