// Closes a connection whose request was answered before its body was read. Bun 1.4.5 alone would
// skip the rest of that body, and keep the connection for it until the idle timeout, which the bytes
// of the body do not renew.

import { closing } from './listener.ts'

type Answer = Response | Promise<Response>

/**
 * Marks an answer that did not read the body as the last of its connection (RFC 9112 section 9.6).
 * Then no byte of that body is read as a request, and no client holds the connection by not sending
 * it. Hot path: once a request.
 */
export function closingUnread(request: Request, answer: Answer): Answer {
  if (request.bodyUsed || !hasBody(request.headers)) return answer
  return answer instanceof Promise ? closingLater(request, answer) : closing(answer)
}

async function closingLater(request: Request, answer: Promise<Response>): Promise<Response> {
  const response = await answer
  return request.bodyUsed ? response : closing(response)
}

function hasBody(headers: Headers): boolean {
  return Number(headers.get('content-length') ?? 0) > 0 || headers.has('transfer-encoding')
}
