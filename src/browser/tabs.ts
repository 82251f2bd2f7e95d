// How tabs of one origin share a connection: the one that holds a lock has it, and tells the others
// by a channel what it receives. A tab that goes, or crashes, loses the lock, and the next one goes
// on at its own cursor. No SharedWorker: Chrome on Android has none, it would be another file, and
// no function that gets tokens can be sent to it.

import type { CometReconnect } from './api.ts'
import type { StreamRecord } from './connection.ts'
import { TAB_ANSWER_MS } from './limits.ts'
import { page } from './page.ts'

/** What tabs that share a connection tell each other. */
export interface Said {
  /** Of the one with the connection: what came, and the place before it. */
  readonly record?: StreamRecord | undefined
  readonly from?: string | undefined
  /** Of the same: its connection is lost. */
  readonly wait?: CometReconnect
  /** Of the same: all that is followed. */
  readonly subjects?: readonly string[]
  /** Of any: what is to be followed, or no longer. */
  readonly change?: readonly [subjects: readonly string[], isFollowed: boolean]
}

export interface TabsOwner {
  /** This tab is to hold the connection. */
  onLead(): void
  /** Another tab took the connection over, which thought that this one was gone. */
  onFollow(): void
  onSaid(said: Said): void
  /** What a tab that has just come is told by the one with the connection. */
  greeting(): Said
}

export interface Tabs {
  readonly isLeading: boolean
  say(said: Said): void
  /** Waits for the lock. */
  join(): void
  /** Asks whether there is a tab with the connection; one that sleeps does not answer. */
  hello(): void
  leave(): void
  close(): void
}

const HELLO = 0

/**
 * Undefined where tabs cannot share: in pages that are not secure, in Node before 24, in Bun. A
 * function and no class: the bundler shortens the names of what is in it.
 *
 * @param silenceMs milliseconds without a word after which a tab says hello
 */
export function openTabs(
  name: string,
  silenceMs: number,
  { onLead, onFollow, onSaid, greeting }: TabsOwner,
): Tabs | undefined {
  const locks = page.navigator?.locks
  if (!locks) return
  const channel = new BroadcastChannel(name)
  /** Lets go of the lock, or of the request for it; another one for each time that it joins. */
  let current: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const waitFor = (then: () => void, ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(then, ms)
  }
  const tabs = {
    isLeading: false,
    say: (said: Said | typeof HELLO) => channel.postMessage(said),
    join(steal?: boolean) {
      tabs.leave()
      const request = new AbortController()
      const { signal } = request
      current = request
      const hold = () => {
        if (signal.aborted) return
        tabs.isLeading = true
        clearTimeout(timer)
        onLead()
        return new Promise((resolve) => {
          signal.onabort = resolve
        })
      }
      locks.request(name, steal ? { steal } : { signal }, hold).catch(() => {
        if (signal.aborted) return
        // Another tab took it.
        tabs.join()
        onFollow()
      })
      tabs.hello()
    },
    hello() {
      if (tabs.isLeading || !current) return
      tabs.say(HELLO)
      waitFor(() => tabs.join(true), TAB_ANSWER_MS)
    },
    leave() {
      clearTimeout(timer)
      tabs.isLeading = false
      current?.abort()
      current = undefined
    },
    close() {
      tabs.leave()
      channel.close()
    },
  }
  channel.onmessage = ({ data }) => {
    if (data === HELLO) {
      if (tabs.isLeading) tabs.say(greeting())
    } else if (current) {
      if (!tabs.isLeading) waitFor(tabs.hello, silenceMs)
      onSaid(data)
    }
  }
  return tabs
}
