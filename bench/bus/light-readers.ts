// Connections to Redis that read the log that machines share as nodes do, and make nothing of it:
// many of them are cheap enough for one process.
//
//   bun bench/bus/light-readers.ts URL LOG COUNT

import { busLimits } from '../../src/core/bus-limits.ts'

const [url = '', log = '', count = '0'] = process.argv.slice(2)
const LIMITS = ['COUNT', String(busLimits.readEntries), 'BLOCK', String(busLimits.readBlockMs)]

type Entry = readonly [id: string, fields: unknown]

async function read(client: Bun.RedisClient): Promise<never> {
  let last = '$'
  for (;;) {
    const answer = await client.send('XREAD', [...LIMITS, 'STREAMS', log, last])
    const entries = (answer as Readonly<Record<string, readonly Entry[]>> | null)?.[log] ?? []
    last = entries.at(-1)?.[0] ?? last
  }
}

for (let at = 0; at < Number(count); at++) {
  const client = new Bun.RedisClient(url)
  await client.connect()
  void read(client)
}
console.log('{}')
