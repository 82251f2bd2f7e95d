// What the network devices of this machine have carried, read when somebody asks. Nothing of it is to
// be had outside Linux; what is missing is null, and never an error.

import { readFileSync } from 'node:fs'

/** Counted since the devices are there. */
export interface Traffic {
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly receivedPackets: number
  readonly sentPackets: number
}

export interface NetworkFigures {
  /** Of all devices that lead elsewhere. */
  readonly outside: Traffic
  /** Within this machine, where each byte that is sent is received too. */
  readonly loopback: Traffic
}

const NOTHING: Traffic = { receivedBytes: 0, sentBytes: 0, receivedPackets: 0, sentPackets: 0 }

/** Devices that carry again what another one carries: bridges, and the ends of containers. */
const IS_SECOND_HAND = /^(veth|docker|br-|virbr|ifb)/

export function networkFigures(): NetworkFigures | null {
  try {
    return parseNetworkDevices(readFileSync('/proc/net/dev', 'utf8'))
  } catch {
    // Another system than Linux, or a process that may not look.
    return null
  }
}

/** Lines of `eth0: 699615960 26382 0 0 0 0 0 0 1949823 19463 0 …`, below two of words. */
export function parseNetworkDevices(text: string): NetworkFigures {
  let [outside, loopback] = [NOTHING, NOTHING]
  for (const [, device = '', rest = ''] of text.matchAll(/^\s*([^\s:]+):(.*)$/gm)) {
    const [receivedBytes = 0, receivedPackets = 0, , , , , , , sentBytes = 0, sentPackets = 0] =
      rest.trim().split(/\s+/).map(Number)
    const traffic = { receivedBytes, sentBytes, receivedPackets, sentPackets }
    if (device === 'lo') loopback = added(loopback, traffic)
    else if (!IS_SECOND_HAND.test(device)) outside = added(outside, traffic)
  }
  return { outside, loopback }
}

function added(one: Traffic, other: Traffic): Traffic {
  return {
    receivedBytes: one.receivedBytes + other.receivedBytes,
    sentBytes: one.sentBytes + other.sentBytes,
    receivedPackets: one.receivedPackets + other.receivedPackets,
    sentPackets: one.sentPackets + other.sentPackets,
  }
}
