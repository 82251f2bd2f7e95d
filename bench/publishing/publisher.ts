// A client of `POST /messages` that costs little beside the server it measures: requests are bytes
// made beforehand, answers are read for their counts alone. Each lane is one kept connection with
// one request under way.

import type { Socket } from 'bun'

const ANSWER_MS_MAX = 60_000

export interface PublishOptions {
  readonly controlUrl: string
  /** Sent in turn, again and again. */
  readonly requests: readonly Uint8Array[]
  /** How many requests in all. */
  readonly count: number
  readonly lanes: number
}

/** A complete request. */
export function postMessages(type: 'json' | 'x-ndjson', body: string): Uint8Array {
  const head =
    `POST /messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/${type}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  return Buffer.from(head + body)
}

/**
 * Sends all requests; settles when each has its answer, and throws unless each was accepted.
 *
 * @returns the deliveries that the server promised
 */
export async function publish(options: PublishOptions): Promise<number> {
  const { controlUrl, requests, count, lanes } = options
  const { hostname, port } = new URL(controlUrl)
  const done = Promise.withResolvers<void>()
  let begun = 0
  let answered = 0
  let delivered = 0
  const run: LaneRun = {
    next: () => (begun < count ? requests[begun++ % requests.length] : undefined),
    onAnswer: (answer) => {
      delivered += answer
      if (++answered === count) done.resolve()
    },
    onFault: (why) => done.reject(new Error(`POST /messages: ${why}`)),
  }
  const timer = setTimeout(() => run.onFault(`no end after ${ANSWER_MS_MAX} ms`), ANSWER_MS_MAX)
  const open = Array.from({ length: lanes }, () => new Lane(run))
  try {
    const connecting = open.map((lane) => lane.connect(hostname, Number(port)))
    // Which ends with the time for all answers at the latest.
    await Promise.race([Promise.all(connecting), done.promise])
    for (const lane of open) lane.sendNext()
    await done.promise
    return delivered
  } finally {
    clearTimeout(timer)
    for (const lane of open) lane.close()
  }
}

interface LaneRun {
  readonly next: () => Uint8Array | undefined
  readonly onAnswer: (delivered: number) => void
  readonly onFault: (why: string) => void
}

class Lane {
  readonly #run: LaneRun
  #socket: Socket | null = null
  /** What the full socket has not taken of the request. */
  #rest: Uint8Array = new Uint8Array(0)
  #answer = ''

  constructor(run: LaneRun) {
    this.#run = run
  }

  async connect(hostname: string, port: number): Promise<void> {
    this.#socket = await Bun.connect({
      hostname,
      port,
      socket: {
        data: (_socket, bytes) => this.#onData(bytes),
        drain: () => this.#write(this.#rest),
        close: () => this.#run.onFault('the server closed the connection'),
      },
    })
  }

  sendNext(): void {
    const request = this.#run.next()
    if (request !== undefined) this.#write(request)
  }

  close(): void {
    this.#socket?.terminate()
  }

  #write(bytes: Uint8Array): void {
    const written = this.#socket?.write(bytes) ?? 0
    this.#rest = bytes.subarray(Math.max(0, written))
  }

  #onData(bytes: Uint8Array): void {
    this.#answer += bytes.toString()
    const head = this.#answer.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = /\r\ncontent-length: (\d+)/i.exec(this.#answer)?.[1]
    const body = this.#answer.slice(head + 4)
    if (body.length < Number(length)) return
    if (!this.#answer.startsWith('HTTP/1.1 200 ') || body.includes('"line"')) {
      this.#run.onFault(`refused: ${this.#answer}`)
      return
    }
    this.#answer = ''
    this.#run.onAnswer(Number(/"delivered":(\d+)/.exec(body)?.[1]))
    this.sendNext()
  }
}
