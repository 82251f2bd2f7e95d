// Who follows whom, as the router asks it. Implementations lie beside this file.

export interface Subscriptions {
  /**
   * The users who follow a subject, each once, without the subject itself. Hot path: once a message.
   * The array may be a view of the store's own memory: read it at once and do not change it.
   */
  subscribersOf(subject: number): Uint32Array
}

const NOBODY = new Uint32Array(0)

/** The store of a server that keeps no subscriptions: nobody follows anybody. */
export const noSubscriptions: Subscriptions = { subscribersOf: () => NOBODY }
