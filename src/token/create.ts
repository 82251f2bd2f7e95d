// Runs `comet token create`: signs a token with the secret or the private key of a file.

import { importJWK, SignJWT } from 'jose'
import { EXIT, type Run } from '../cli/command.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { TokenKey } from '../hub/settings.ts'
import { KEY_OPTION, readKeys, SECRET_OPTION } from '../identity/key-options.ts'
import { parseSigningKey } from '../identity/signing-key.ts'
import { readSmallFile } from '../os/file.ts'
import type { CREATE } from './command.ts'

export const create: Run<typeof CREATE> = async (values, io) => {
  const { user, read, ttl, issuer, audience } = values
  const key = keyOf(values[SECRET_OPTION], values[KEY_OPTION])
  if (!key.ok) {
    io.stderr(`comet token create: ${key.why}`)
    return EXIT.usage
  }
  const { algorithm, jwk, id } = key.value
  const nowSeconds = Math.floor(Date.now() / 1_000)
  const kid = values['key-id'] ?? id
  const unsigned = new SignJWT(read.length > 0 ? { comet: { read: [...read] } } : {})
    .setProtectedHeader({ alg: algorithm, typ: 'JWT', ...(kid !== null && { kid }) })
    .setSubject(user ?? '')
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + Math.ceil(ttl / 1_000))
  if (issuer !== null) unsigned.setIssuer(issuer)
  if (audience !== null) unsigned.setAudience(audience)
  const token = await unsigned.sign(await importJWK(jwk, algorithm))
  if (token.length > identityLimits.tokenBytesMax || read.length > identityLimits.patternsMax) {
    const { tokenBytesMax, patternsMax } = identityLimits
    io.stderr(
      `comet token create: no server takes it: more than ${patternsMax} subjects, or ${tokenBytesMax} bytes`,
    )
    return EXIT.usage
  }
  io.stdout(token)
  return EXIT.ok
}

function keyOf(secretPath: string | null, keyPath: string | null): Result<TokenKey> {
  if (keyPath === null) {
    const read = readKeys({ [SECRET_OPTION]: secretPath, [KEY_OPTION]: null })
    if (!read.ok) return read
    const [key] = read.value.keys
    return key === undefined ? refused('there is no key to sign with') : success(key)
  }
  const file = readSmallFile(keyPath)
  const key = file.ok ? parseSigningKey(file.value.text) : file
  return key.ok ? key : refused(`the key file ${keyPath} ${key.why}`)
}
