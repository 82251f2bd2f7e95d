// Tells the messages of a stream apart, though all of one turn of the event loop come in one write.

import type { Frame } from './frame.ts'
import { LocalOutlet } from './outlet.ts'
import type { DeliveryAck } from './receipt.ts'
import type { RecordingStream } from './stream.fixture.ts'

/** A byte that no text has. */
const MARK = 0xff

/** The streams of this process, with a mark behind each message. */
export class MarkingOutlet extends LocalOutlet {
  override deliver(user: number, followers: Uint32Array, frame: Frame, receipt: DeliveryAck): void {
    const bytes = new Uint8Array(frame.bytes.length + 1)
    bytes.set(frame.bytes)
    bytes[frame.bytes.length] = MARK
    super.deliver(user, followers, { ...frame, bytes }, receipt)
  }
}

/** The messages that a stream has got from a {@link MarkingOutlet}, each as text. */
export function messagesOf({ writes }: RecordingStream): string[] {
  const bytes = Buffer.concat(writes)
  const messages: string[] = []
  let at = 0
  for (let end = bytes.indexOf(MARK); end >= 0; end = bytes.indexOf(MARK, at)) {
    messages.push(bytes.toString('utf8', at, end))
    at = end + 1
  }
  if (at < bytes.length) throw new Error('the last message is not whole')
  return messages
}
