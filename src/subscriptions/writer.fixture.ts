// A process that changes subscriptions at random until it is killed. It prints each change before
// it makes it, and `ok` afterwards. Arguments: file, seed, number of changes; after the last one it
// keeps the file open until its standard input ends.

import { writeSync } from 'node:fs'
import { randomFrom } from '../core/random.ts'
import { openStore, USERS } from './model.fixture.ts'

const STDOUT = 1
const PAIRS_MAX = 20

const [path = '', seed = '', changes = ''] = process.argv.slice(2)
const below = randomFrom(Number(seed))
const store = openStore(path)
// Not through a stream, which would still have lines in memory when the process is killed.
writeSync(STDOUT, 'open\n')
for (let change = 0; change < Number(changes); change++) {
  const action = below(5) < 3 ? 'add' : 'remove'
  const pairs = new Uint32Array(2 * (1 + below(PAIRS_MAX)))
  for (let at = 0; at < pairs.length; at++) pairs[at] = USERS[below(USERS.length)] ?? 1
  writeSync(STDOUT, `${action} ${pairs.join(' ')}\n`)
  await store[action](pairs)
  writeSync(STDOUT, 'ok\n')
}
await Bun.stdin.text()
store.close()
