// Sends a notification to a user of comet, once. For Node 20 and later, or Bun; no packages.

const { CONTROL_URL = 'http://127.0.0.1:8001' } = process.env

/** Milliseconds for one answer, and until the next try: a second, two, four … eight. */
const ANSWER_MS_MAX = 5_000
const RETRY_MS = 1_000
const RETRY_MS_MAX = 8_000
/** Tries that fit into the five minutes for which comet knows a key. */
const TRIES_MAX = 20

/**
 * Sends it, and tries again until comet has answered. Without an answer it is unknown whether it
 * went out; with its key it goes out once, however often it is sent.
 *
 * @param {string} user
 * @param {{ title: string, text: string }} notification
 * @param {string} key names what has happened, such as `order-42-shipped`
 * @returns {Promise<{ delivered: number, id: string }>} how many of the user's connections took it;
 *   with none it waits for the user to come back, and this is the moment to send a mail instead
 */
export async function notify(user, notification, key) {
  const body = JSON.stringify({ to: user, event: 'notification', data: notification, key })
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetch(`${CONTROL_URL}/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      })
      const answer = await response.json()
      if (response.ok) return answer
      // A 4xx is a mistake of the caller: 409 is a key that another notification has had.
      const { code, message } = answer.error
      throw Object.assign(new Error(`${code}: ${message}`), { isFinal: response.status < 500 })
    } catch (error) {
      if (error.isFinal || tries === TRIES_MAX) throw error
    }
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (tries - 1))
    // Many that failed together do not come back together.
    await new Promise((resolve) => setTimeout(resolve, waitMs * (0.5 + Math.random() / 2)))
  }
}
