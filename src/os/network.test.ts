// Goal: traffic is that of the devices that lead elsewhere, each byte once. Method: a text as Linux
// writes it, and the machine's own.

import { expect, test } from 'bun:test'
import { networkFigures, parseNetworkDevices } from './network.ts'

const TEXT = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
  eth0:     500       5    1    2    0     0          0         0      300       3    0    0    0     0       0          0
eth1.7:50 6 0 0 0 0 0 0 40 4 0 0 0 0 0 0
veth1a2:  999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
docker0:  999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
`

test('devices are added up, but for those that carry bytes of others', () => {
  expect(parseNetworkDevices(TEXT)).toEqual({
    outside: { receivedBytes: 550, receivedPackets: 11, sentBytes: 340, sentPackets: 7 },
    loopback: { receivedBytes: 1_000, receivedPackets: 10, sentBytes: 1_000, sentPackets: 10 },
  })
  const nothing = { receivedBytes: 0, receivedPackets: 0, sentBytes: 0, sentPackets: 0 }
  expect(parseNetworkDevices('')).toEqual({ outside: nothing, loopback: nothing })
})

test.skipIf(process.platform !== 'linux')('this machine tells', () => {
  expect(networkFigures()?.loopback.sentBytes).toBeGreaterThanOrEqual(0)
})
