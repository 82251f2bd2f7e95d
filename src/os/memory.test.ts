// Goal: the kernel's figures are read as they are written, and missing ones are no error. Method:
// texts of real kernels, and this very process, on Linux.

import { describe, expect, test } from 'bun:test'
import { anonymousBytes, parseSockstat, tcpFigures } from './memory.ts'

const onLinux = test.skipIf(process.platform !== 'linux')

describe('/proc/net/sockstat', () => {
  test('is read', () => {
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

  test.each(['', '\n', 'TCP', 'TCP:', 'TCP: inuse', 'rubbish: x y z'])('as %p has none', (text) => {
    expect(parseSockstat(text)['TCP']?.['inuse']).toBeUndefined()
  })
})

onLinux('a listening socket more is a socket in use more, and memory has a limit', () => {
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

onLinux('memory that belongs to no file grows when it is used, and is less than all', () => {
  const before = anonymousBytes(process.pid) ?? 0
  const used = new Uint8Array(64 * 1024 * 1024).fill(1)
  const after = anonymousBytes(process.pid) ?? 0
  expect(after - before).toBeGreaterThan(used.length / 2)
  expect(after).toBeLessThan(process.memoryUsage.rss())
})

test('a process that is not there has none', () => {
  expect(anonymousBytes(2 ** 30)).toBeNull()
})
