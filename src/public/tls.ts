// The certificate of the public port and its key: read from their files and checked against each
// other.

import { createSecureContext } from 'node:tls'
import { clearOpenSslError } from '../core/openssl-error.ts'
import { type Result, refused, success } from '../core/result.ts'
import { codeOrThrow } from '../core/system-error.ts'
import type { Certificate } from '../hub/settings.ts'
import { readSmallFile } from '../os/file.ts'

/** Reads both, or says why they cannot be used. */
export function readCertificate(certPath: string, keyPath: string): Result<Certificate> {
  const certificate: Record<string, string> = {}
  for (const [what, name, path] of [
    ['certificate', 'cert', certPath],
    ['key', 'key', keyPath],
  ] as const) {
    const file = readSmallFile(path)
    if (!file.ok) return refused(`the ${what} ${path} ${file.why}`)
    certificate[name] = file.value.text
  }
  const { cert = '', key = '' } = certificate
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    clearOpenSslError()
    const code = codeOrThrow(error)
    const why =
      code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
        ? `the key ${keyPath} is not the one of the certificate ${certPath}`
        : `${certPath} and ${keyPath} are no certificate and key in PEM (${code})`
    return refused(why)
  }
  return success({ cert, key })
}
