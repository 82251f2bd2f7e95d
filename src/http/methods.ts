// The methods of requests, and the requests that are answered by no route.

import type { Exchange } from './exchange.ts'

/** Those that routes may take. They are case-sensitive. */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
])

/** Answers a request that no route can take; false if one may. */
export function answerUnroutable(exchange: Exchange): boolean {
  const { method, path } = exchange.head
  if (!METHODS.has(method)) {
    exchange.reject('unknown_method')
    return true
  }
  if (path !== '*') return false
  // About the server as a whole (RFC 9110 section 9.3.7).
  exchange.reply({ status: 204, headers: { allow: [...METHODS].join(', ') } })
  return true
}
