// The table of contents of the public port: its routes, and how it says that there is none. Loaded
// by every worker, so it must not load what only the control port needs.

import { Elysia } from 'elysia'
import { ERRORS } from '../core/errors.ts'
import { parseHost } from '../core/hostname.ts'
import { ELYSIA, ELYSIA_TLS, type OnBug } from '../http/elysia.ts'
import { type ChunkedOptions, chunkedTransport, refusal, userNotFound } from './chunked.ts'

/** The port where clients open streams. */
export function publicApp(chunked: ChunkedOptions, onBug: OnBug, isTls = false) {
  return new Elysia(isTls ? ELYSIA_TLS : ELYSIA)
    .onError(({ code, error }) => {
      if (code === 'NOT_FOUND') return userNotFound()
      onBug(error)
      return refusal('Internal error\n', {}, ERRORS.internal.status)
    })
    .use(chunkedTransport(chunked))
}

/** The answer to a request that names no host, or two (RFC 9112 section 3.2); null for any other. */
export function refuseHost(request: Request): Response | null {
  const host = request.headers.get('host')
  if (host === null || parseHost(host) !== undefined) return null
  return refusal('Send one Host header, with a valid host\n', {}, ERRORS.invalid_host.status)
}
