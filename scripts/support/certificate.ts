// Certificates for tests, made by openssl for an hour and this machine alone; and what a server
// shows of its own.

import { connect } from 'node:tls'
import { withTimeout } from '../../src/core/deadline.ts'

/** Milliseconds to make a certificate, and to be shown one. */
const CERTIFICATE_MS_MAX = 20_000

/** Makes a certificate by a name; answers where it and its key lie. */
export async function makeCertificate(folder: string, name: string) {
  const [cert, key] = [`${folder}/${name}.pem`, `${folder}/${name}.key`]
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1'
  const curve = 'ec_paramgen_curve:prime256v1'
  const made =
    Bun.$`openssl req -x509 -newkey ec -pkeyopt ${curve} -nodes -keyout ${key} -out ${cert} -days 1 -subj /CN=${name} -addext ${names}`.quiet()
  await withTimeout(`a certificate of ${name}`, made, CERTIFICATE_MS_MAX)
  return { cert, key }
}

/** The name in the certificate that is shown to who connects now. */
export function shownName(port: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
    resolve(String(socket.getPeerCertificate().subject.CN))
    socket.destroy()
  })
  socket.on('error', reject)
  return withTimeout('a certificate to be shown', promise, CERTIFICATE_MS_MAX)
}

/** A stream over TLS; what came of it so far. */
export function streamOverTls(port: number, user: number) {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  const stream = { text: '', [Symbol.dispose]: () => socket.destroy() }
  socket.on('data', (bytes) => {
    stream.text += bytes.toString('latin1')
  })
  socket.write(`GET /test/${user} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  return stream
}
