// Asks the other nodes of the cluster, and answers their questions.

import type { RedisBus } from '../bus/redis-bus.ts'
import {
  type NodeAnswer,
  type NodeAnswers,
  type OtherNodes,
  parseAnswer,
  type Question,
  type QuestionBodies,
} from '../control/other-nodes.ts'
import { isObject, parseObject } from '../core/json.ts'
import { messageLimits } from '../core/limits.ts'
import { checkSubject, type Subject } from '../core/user.ts'
import type { StreamHost } from '../hub/host.ts'
import type { NameTable } from '../subscriptions/name-table.ts'

export class BusNodes implements OtherNodes {
  readonly name: string
  readonly address: string
  readonly #bus: Pick<RedisBus, 'requests' | 'members'>

  constructor(name: string, address: string, bus: Pick<RedisBus, 'requests' | 'members'>) {
    this.name = name
    this.address = address
    this.#bus = bus
  }

  async ask<Kind extends Question>(
    kind: Kind,
    body: QuestionBodies[Kind],
  ): Promise<NodeAnswers<Kind>> {
    const { requests, members } = this.#bus
    const { answers, missing } = await requests.ask(kind, JSON.stringify(body))
    const read: NodeAnswer<Kind>[] = []
    const unread = missing.map(({ name }) => name)
    for (const [origin, text] of answers) {
      // It may have left meanwhile.
      const { name, address } = members.get(origin) ?? { name: origin, address: '' }
      const answer = parseAnswer(kind, text)
      if (answer === null) unread.push(name)
      else read.push({ name, address, answer })
    }
    return { answers: read, missing: unread }
  }
}

export interface AnswerDependencies {
  readonly requests: RedisBus['requests']
  readonly host: Pick<StreamHost, 'userPresence' | 'endStreams'>
  readonly names: Pick<NameTable, 'idOf' | 'intern'>
  readonly revocations: { add(user: Subject, atMs: number): unknown }
  readonly stats: () => Promise<unknown>
}

/** Answers the questions of other nodes from now on. */
export function answerOthers(dependencies: AnswerDependencies): void {
  const { requests, host, names, revocations, stats } = dependencies
  requests.handle('stats', async () => JSON.stringify(await stats()))
  requests.handle('presence', async (body) => {
    const user = userIn(parseObject(body))
    return user === null ? null : JSON.stringify(await host.userPresence(names.idOf(user)))
  })
  requests.handle('end', async (body) => {
    const asked = parseObject(body)
    const user = userIn(asked)
    if (asked === null || user === null || typeof asked['atMs'] !== 'number') return null
    revocations.add(user, asked['atMs'])
    const id = names.intern(user)
    if (id === null) return null
    const note = typeof asked['note'] === 'string' ? asked['note'] : null
    return JSON.stringify(await host.endStreams(id, { reason: 'ended', note }))
  })
}

function userIn(asked: unknown): Subject | null {
  const user = isObject(asked) ? asked['user'] : null
  if (typeof user !== 'number' && typeof user !== 'string') return null
  const checked = checkSubject(user, messageLimits.userIdMax)
  return checked.ok ? checked.value : null
}
