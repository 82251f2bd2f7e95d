// The sending end of a peer that takes no plain POST: comet gen's own sender, with another way to
// publish a message. Each waits for its answer, as the request of a POST does.

import { systemClock } from '../../src/core/clock.ts'
import { shareRate } from '../../src/core/pacer.ts'
import { randomFrom } from '../../src/core/random.ts'
import { refused, success } from '../../src/core/result.ts'
import { genLimits } from '../../src/core/tool-limits.ts'
import type { Subject } from '../../src/core/user.ts'
import { genReport } from '../../src/gen/gen-report.ts'
import type { BatchResult, Publish } from '../../src/gen/publisher.ts'
import { Sender } from '../../src/gen/sender.ts'
import { uniform } from '../../src/gen/subjects.ts'
import { MqttPublisher } from './mqtt.ts'

export type PublishingProtocol = 'mqtt' | 'pushpin'

export interface PublishOptions {
  readonly protocol: PublishingProtocol
  readonly url: URL
  readonly ratePerSecond: number
  /** Null for as many as come due. */
  readonly messagesMax: number | null
  readonly users: number
  readonly durationMs: number
  readonly generators: number
  /** Messages at a time whose answer has not come. */
  readonly publishers: number
}

interface Message {
  readonly user: Subject
  readonly text: string
}

type PublishOne = (message: Message) => Promise<BatchResult>

/** The servers do not say how many receivers there were. */
const PUBLISHED: BatchResult = success({ accepted: 1, delivered: 0, unpromised: 1 })

/** Sends until all is sent or the time is over; prints the report of comet gen. */
export async function publish(options: PublishOptions): Promise<void> {
  const { protocol, url, publishers } = options
  const send = protocol === 'mqtt' ? await mqttPublisher(url, publishers) : pushpinPublisher(url)
  const publishBatch: Publish<Message> = async ([message]) => {
    return message === undefined ? success({ accepted: 0, delivered: 0 }) : await send(message)
  }
  const sender = new Sender(
    {
      schedules: shareRate(options.ratePerSecond, options.generators),
      publishers,
      nextUser: uniform(options.users, randomFrom(1)),
      nextBytes: null,
      write: (user, text): Message => ({ user, text }),
      durationMs: options.durationMs,
      messagesMax: options.messagesMax,
      batchMax: 1,
      firstGenerator: Math.floor(Math.random() * 2 ** 20) * genLimits.generatorsMax,
    },
    publishBatch,
    systemClock,
  )
  await sender.finished
  console.log(JSON.stringify(genReport(sender.tally)))
}

/** As pushpin documents it for HTTP streaming; the content is a line of each stream. */
function pushpinPublisher(url: URL): PublishOne {
  const address = `http://${url.host}/publish/`
  return async ({ user, text }) => {
    const formats = { 'http-stream': { content: `${text}\n` } }
    try {
      const response = await fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ items: [{ channel: String(user), formats }] }),
        signal: AbortSignal.timeout(genLimits.answerMs),
      })
      await response.text()
      return response.ok ? PUBLISHED : refused(`status_${response.status}`)
    } catch (error) {
      return refused(String((error as Error).name))
    }
  }
}

/** One connection to the broker. */
interface Lane {
  readonly publisher: MqttPublisher
  /** Null before it is open, and once it is closed. */
  socket: Bun.Socket<Lane> | null
  /** Called with what became of the message under way; null if there is none. */
  settle: ((result: BatchResult) => void) | null
}

/** As many connections as there may be messages under way, each with one at a time. */
async function mqttPublisher(url: URL, connections: number): Promise<PublishOne> {
  const idle: Lane[] = []
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>()
  const settle = (lane: Lane, result: BatchResult) => {
    lane.settle?.(result)
    lane.settle = null
  }
  const socket: Bun.SocketHandler<Lane> = {
    open: (opened) => {
      opened.data.socket = opened
      opened.write(opened.data.publisher.greeting())
    },
    data: (opened, bytes) => {
      const lane = opened.data
      const fault = lane.publisher.read(bytes, {
        onReply: () => undefined,
        onOpen: () => {
          idle.push(lane)
          if (idle.length === connections) resolve()
        },
        onMessage: () => {
          idle.push(lane)
          settle(lane, PUBLISHED)
        },
      })
      if (fault === null) return
      settle(lane, refused(fault))
      opened.terminate()
    },
    close: ({ data: lane }) => {
      lane.socket = null
      settle(lane, refused('reset'))
      reject(new Error('the broker closed a connection'))
    },
  }
  const target = { hostname: url.hostname, port: Number(url.port), socket }
  for (let at = 0; at < connections; at++) {
    const publisher = new MqttPublisher(`p${process.pid}.${at}`)
    const data: Lane = { publisher, socket: null, settle: null }
    await Bun.connect({ ...target, data })
  }
  await ready
  return ({ user, text }) => {
    const lane = idle.pop()
    if (!lane?.socket) return Promise.resolve(refused('no_connection'))
    const { promise, resolve: settled } = Promise.withResolvers<BatchResult>()
    lane.settle = settled
    lane.socket.write(lane.publisher.message(String(user), text))
    return promise
  }
}
