// One cluster of tests on a real Redis, by its scripts alone: each answer, and the log after it.

import type { Cursor } from '../core/cursor.ts'
import { about } from '../log/log.fixture.ts'
import type { LogItem } from '../log/message-bus.ts'
import type { AppendRequest, ConditionalRequest } from './append-request.ts'
import { encodeBatch } from './batch.ts'
import { busKeys } from './bus-keys.ts'
import { type BatchCondition, conditionOf } from './condition.ts'
import type { RedisConnection } from './redis-connection.ts'
import { BusScripts } from './scripts.ts'
import { idText, parseEntries } from './stream-entry.ts'

export const [LEFT, RIGHT] = ['1'.repeat(16), '2'.repeat(16)]
export const NOWHERE: Cursor = { epoch: 0, number: 0 }

/** Its keys have a prefix of their own. */
export class ScriptCluster {
  readonly scripts: BusScripts
  readonly prefix: string
  readonly #connection: RedisConnection

  static async open(connection: RedisConnection, prefix: string): Promise<ScriptCluster> {
    const scripts = await BusScripts.load(connection, busKeys(prefix), 60)
    if (!scripts.ok) throw new Error(scripts.why.text)
    return new ScriptCluster(connection, scripts.value, prefix)
  }

  private constructor(connection: RedisConnection, scripts: BusScripts, prefix: string) {
    this.#connection = connection
    this.scripts = scripts
    this.prefix = prefix
  }

  async hello(
    mine = NOWHERE,
    batches: readonly (readonly [string, number])[] = [],
    lines = '',
    since = 'all',
  ) {
    const answer = await this.scripts.hello(LEFT, {
      cursor: mine,
      batches,
      keys: { lines, since },
    })
    if (!answer.ok) throw new Error(answer.why.text)
    return answer.value
  }

  async append(epoch: number, batch: number, other: Partial<AppendRequest> = {}) {
    const content = encodeBatch([about(1, 'a'), about(1, 'b'), about(1, 'c')])
    const request = { origin: LEFT, mayBeFirst: false, content, minId: '0-0' }
    const answer = await this.scripts.append({ ...request, epoch, batch, ...other })
    return answer.ok ? answer.value : answer.why.text
  }

  /** Of items with a condition. Answers a word, or with it where what was found is. */
  async resolve(
    epoch: number,
    batch: number,
    items: readonly LogItem[],
    {
      perUserMax = null,
      ...other
    }: Partial<ConditionalRequest> & { perUserMax?: number | null } = {},
  ) {
    const answer = await this.scripts.resolve({
      ...{ origin: LEFT, mayBeFirst: false, content: encodeBatch(items), minId: '0-0' },
      ...{ condition: limited(conditionOf(items), perUserMax), again: null, previous: batch - 1 },
      ...{ epoch, batch, ...other },
    })
    if (!answer.ok) return answer.why.text
    const { resolution, cursor } = answer.value
    return cursor === null ? resolution : `${resolution} ${idText(cursor)}`
  }

  async command(name: string, ...args: string[]): Promise<unknown> {
    const answer = await this.#connection.send(name, args)
    return answer.ok ? answer.value : answer.why.text
  }

  /** The heads of all batches. */
  async heads(): Promise<string[]> {
    const key = `${this.prefix}log`
    const entries = parseEntries(await this.command('XREAD', 'STREAMS', key, '0-0'), key) ?? []
    return entries.flatMap((entry) => (entry.kind === 'batch' ? [entry.head] : []))
  }

  /** Each entry as its id and what it is. */
  async entries(): Promise<string[]> {
    const key = `${this.prefix}log`
    const answer = await this.command('XREAD', 'STREAMS', key, '0-0')
    return (parseEntries(answer, key) ?? []).map((entry) => {
      if (entry.kind === 'batch') {
        const { batch, previous } = entry
        const behind = previous === batch - 1 ? '' : ` behind ${previous}`
        return `${idText(entry.at)} batch ${batch}${behind}`
      }
      if (entry.kind === 'fork') return `${idText(entry.at)} behind ${idText(entry.base)}`
      return `${idText(entry.at)} ${entry.kind}`
    })
  }
}

function limited(condition: BatchCondition | null, perUserMax: number | null) {
  return condition?.kind === 'follows' ? { ...condition, perUserMax } : condition
}
