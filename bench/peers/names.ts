// The servers that are set beside each other: their names, and what is to be said of each in a
// table. How they are started is servers.ts's.

export const PEER_NAMES = ['comet', 'comet-batch', 'nchan', 'evhttp', 'websocket', 'floor'] as const
export type PeerName = (typeof PEER_NAMES)[number]

/** What all are a ratio to: nothing that does the job takes less. */
export const FLOOR: PeerName = 'floor'
/** What is compared with the others: it is sent messages in the same way as they are. */
export const OURS: PeerName = 'comet'

export interface PeerText {
  readonly title: string
  readonly publishing: string
}

export const PEER_TEXTS: Readonly<Record<PeerName, PeerText>> = {
  comet: { title: 'comet', publishing: 'one message a request' },
  'comet-batch': { title: 'comet, batches', publishing: 'up to 1,000 messages a request' },
  nchan: { title: 'nchan', publishing: 'one message a request' },
  evhttp: { title: 'evhttp', publishing: 'one message a request' },
  websocket: { title: 'Bun WebSocket', publishing: 'one message a request' },
  floor: { title: 'bare epoll in C', publishing: 'one message a request' },
}

/** Each round begins with another server, so that none has the same place in all of them. */
export function rotated<T>(all: readonly T[], round: number): T[] {
  const first = all.length === 0 ? 0 : round % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}
