// The table of contents of the public port: its routes, and how it says that there is none. Loaded
// by every worker, so it must not load what only the control port needs.

import { Elysia } from 'elysia'
import { ERRORS } from '../core/errors.ts'
import { type ChunkedOptions, chunkedTransport, userNotFound } from '../transport/chunked.ts'
import { ELYSIA, ELYSIA_TLS, type OnBug } from './settings.ts'

/** The port where clients open streams. */
export function publicApp(chunked: ChunkedOptions, onBug: OnBug, isTls = false) {
  return new Elysia(isTls ? ELYSIA_TLS : ELYSIA)
    .onError(({ code, error }) => {
      if (code === 'NOT_FOUND') return userNotFound()
      onBug(error)
      return new Response('Internal error\n', { status: ERRORS.internal.status })
    })
    .use(chunkedTransport(chunked))
}
