// The names of algorithms in the headers of tokens and in keys.

/** The name of settings: RFC 9864 has another one for EdDSA with Ed25519. */
export function algorithmOf(alg: unknown): unknown {
  return alg === 'Ed25519' ? 'EdDSA' : alg
}
