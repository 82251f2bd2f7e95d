// Goal: the kernel's figures are read as it writes them, and missing ones are no error. Method:
// texts of real kernels, and this machine and process themselves, on Linux.

import { describe, expect, test } from 'bun:test'
import {
  anonymousBytes,
  networkFigures,
  parseCpuTime,
  parseMemory,
  parseNetworkDevices,
  parseSockstat,
  systemFigures,
  tcpFigures,
} from './proc.ts'

const onLinux = test.skipIf(process.platform !== 'linux')

test('CPU time counts niced programs as programs, and interrupts as the kernel', () => {
  const text = 'cpu  1000 200 300 9000 50 40 60 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\nintr 5\n'
  expect(parseCpuTime(text)).toEqual({ userSeconds: 12, systemSeconds: 4 })
})

test('memory is in bytes, and a figure that is missing is 0', () => {
  const text = [
    ...['MemTotal:       24689764 kB', 'MemFree:        1 kB', 'MemAvailable:   20000000 kB'],
    ...['Slab:            300 kB', 'KernelStack:     20 kB', 'HugePages_Total:       0', ''],
  ].join('\n')
  expect(parseMemory(text)).toEqual({
    memoryBytes: 24_689_764 * 1024,
    memoryAvailableBytes: 20_000_000 * 1024,
    kernelBytes: 320 * 1024,
  })
})

onLinux('the figures of this machine are read', () => {
  const figures = systemFigures()
  expect(figures?.userSeconds).toBeGreaterThan(0)
  expect(figures?.memoryBytes).toBeGreaterThan(figures?.memoryAvailableBytes ?? Infinity)
})

const DEVICES = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    1000      10    0    0    0     0          0         0     1000      10    0    0    0     0       0          0
  eth0:     500       5    1    2    0     0          0         0      300       3    0    0    0     0       0          0
eth1.7:50 6 0 0 0 0 0 0 40 4 0 0 0 0 0 0
veth1a2:  999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
docker0:  999       9    0    0    0     0          0         0      999       9    0    0    0     0       0          0
`

test('devices are added up, except those that repeat the bytes of others', () => {
  expect(parseNetworkDevices(DEVICES)).toEqual({
    outside: { receivedBytes: 550, receivedPackets: 11, sentBytes: 340, sentPackets: 7 },
    loopback: { receivedBytes: 1_000, receivedPackets: 10, sentBytes: 1_000, sentPackets: 10 },
  })
  const nothing = { receivedBytes: 0, receivedPackets: 0, sentBytes: 0, sentPackets: 0 }
  expect(parseNetworkDevices('')).toEqual({ outside: nothing, loopback: nothing })
})

onLinux('the devices of this machine are read', () => {
  expect(networkFigures()?.loopback.sentBytes).toBeGreaterThanOrEqual(0)
})

describe('/proc/net/sockstat', () => {
  test('is read by protocol and name', () => {
    const text = `sockets: used 2005843
TCP: inuse 1000012 orphan 3 tw 2964 alloc 2000021 mem 585
UDP: inuse 0 mem 0
FRAG: inuse 0 memory 0
`
    expect(parseSockstat(text)).toEqual({
      sockets: { used: 2_005_843 },
      TCP: { inuse: 1_000_012, orphan: 3, tw: 2964, alloc: 2_000_021, mem: 585 },
      UDP: { inuse: 0, mem: 0 },
      FRAG: { inuse: 0, memory: 0 },
    })
  })

  test.each(['', '\n', 'TCP', 'TCP:', 'TCP: inuse', 'rubbish: x y z'])(
    'has no figures as %p',
    (text) => {
      expect(parseSockstat(text)['TCP']?.['inuse']).toBeUndefined()
    },
  )
})

onLinux('listening sockets are counted as in use, and memory has a limit', () => {
  const before = tcpFigures()?.socketsInUse ?? 0
  const listeners = Array.from({ length: 200 }, () =>
    Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } }),
  )
  const figures = tcpFigures()
  for (const listener of listeners) listener.stop(true)
  // Others come and go meanwhile.
  expect((figures?.socketsInUse ?? 0) - before).toBeGreaterThan(100)
  expect(figures?.memoryLimitBytes ?? 0).toBeGreaterThan(figures?.memoryBytes ?? 0)
})

const MIB = 1024 * 1024

onLinux('anonymous memory grows when it is used, and is less than all', () => {
  // A process of its own: in this one, memory of other tests may be given back meanwhile.
  const program = `
    import { anonymousBytes } from ${JSON.stringify(`${import.meta.dir}/proc.ts`)}
    const before = anonymousBytes(process.pid)
    const used = new Uint8Array(${64 * MIB}).fill(1)
    const after = anonymousBytes(process.pid)
    console.log(JSON.stringify([after - before, after, process.memoryUsage.rss(), used.length]))`
  const child = Bun.spawnSync([process.execPath, '-e', program])
  const [grown = 0, after = 0, resident = 0] = JSON.parse(String(child.stdout)) as number[]
  expect(grown).toBeGreaterThan(32 * MIB)
  expect(after).toBeLessThan(resident)
})

test('a process that does not exist has no anonymous memory', () => {
  expect(anonymousBytes(2 ** 30)).toBeNull()
})
