// A fault of Bun 1.4.5: OpenSSL keeps the error of a certificate that was refused, and the next
// HMAC of the process fails with it.

/** Call this after a certificate was refused. */
export function clearOpenSslError(): void {
  try {
    new Bun.CryptoHasher('sha256', 'key').update('')
  } catch {
    // It was that error, which is gone now.
  }
}
