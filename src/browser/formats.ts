// Which formats a stream tries, in which order, and with which it begins.

import { CometError, type CometFormat, type ConnectOptions } from './api.ts'
import { page } from './page.ts'

/**
 * JSON lines only if asked for: what holds back server-sent events, which proxies know, holds them
 * back, too.
 */
const FORMATS: readonly CometFormat[] = ['websocket', 'sse', 'poll']

/** @throws CometError if there is none that the options leave and that is there */
export function formatsOf({ format = FORMATS, token, ticket }: ConnectOptions): CometFormat[] {
  const hasSocket = globalThis.WebSocket && (ticket || !token)
  const formats = [format].flat().filter((each) => each !== 'websocket' || hasSocket)
  if (!formats[0]) throw new CometError('format: none is left')
  return formats
}

/** The format that worked last in this tab, be it on another page; or this one from now on. */
export function lastFormat(worked?: CometFormat): string | undefined {
  try {
    const storage = page.sessionStorage
    if (worked && storage) storage['comet'] = worked
    return storage?.['comet']
  } catch {
    // Then the next page tries them all.
    return undefined
  }
}
