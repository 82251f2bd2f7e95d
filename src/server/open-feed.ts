// What those who read the feed get: the connections of this server, or those of all that share one.

import type { FeedSharing } from '../bus/feed-sharing.ts'
import type { Feed } from '../hub/feed.ts'
import type { StreamHost } from '../hub/host.ts'
import type { Settings } from '../hub/settings.ts'
import type { FeedSource, PresentConnections } from '../log/feed-source.ts'
import type { Messages } from './messages.ts'

export interface OpenFeed {
  /** Null if there is none. */
  readonly source: FeedSource | null
  readonly present: PresentConnections
  /** Null for a server of its own. */
  readonly sharing: Pick<FeedSharing, 'figures'> | null
  /** No connection is left: all is told, and then readers get the end. */
  close(): Promise<void>
  /** No reader is left. */
  stop(): Promise<void>
}

export interface OpenFeedDependencies {
  readonly feed: Feed | null
  readonly host: Pick<StreamHost, 'connectionsFrom' | 'userPresence'>
  readonly messages: Pick<Messages, 'shared' | 'stores'>
  readonly settings: Settings<'feedBytes'>
}

export function openFeed({ feed, host, messages, settings }: OpenFeedDependencies): OpenFeed {
  if (feed === null) {
    const present = () => null
    return { source: null, present, sharing: null, close: nothing, stop: nothing }
  }
  const present: PresentConnections = (place, count) =>
    feed.present(host.connectionsFrom(Number(place), count))
  const close = async () => feed.close()
  const { shared, stores } = messages
  if (shared === null) return { source: feed, present, sharing: null, close, stop: nothing }
  const sharing = shared.shareFeed({
    ...{ node: feed.node, feed, present, bytes: settings.current.feedBytes },
    isOnline: async (user) => (await host.userPresence(stores.names.idOf(user))).connections > 0,
  })
  const { source } = sharing
  return {
    ...{ source, sharing },
    present: (place, count) => source.present(place, count),
    close: async () => {
      feed.close()
      await sharing.close()
    },
    stop: () => sharing.stop(),
  }
}

const nothing = () => Promise.resolve()
