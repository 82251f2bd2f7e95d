// Goal: the log of messages has each change of who follows whom, or says that some are missing.
// Method: a real database and a real log, in files, changed with and without each other.

import { afterAll, describe, expect, test } from 'bun:test'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { openLog } from '../log/open-log.ts'
import { openDatabase } from '../subscriptions/database.ts'
import { NameTable } from '../subscriptions/name-table.ts'
import { storesOf } from '../subscriptions/stores.ts'
import type { ChangeRecorder } from '../subscriptions/subscriptions.ts'
import { FollowLog } from './follow-log.ts'
import { newFrame } from './frame.ts'

const folder = mkdtempSync(`${tmpdir()}/comet-follow-log-`)
afterAll(() => rmSync(folder, { recursive: true }))

let paths = 0

interface Server extends Disposable {
  /** Has the log all changes? */
  readonly isKnown: boolean
  readonly subscriptions: ReturnType<typeof storesOf>['subscriptions']
  /** A message about a subject; its number. */
  publish(subject: number): number
  /** What a user has missed since an entry. */
  missedBy(user: number, after: number): unknown
}

/** Called at moments of each change. */
interface Moments {
  readonly beforeRecord?: () => void
  readonly beforeCommit?: () => void
  readonly afterCommit?: () => void
}

interface Options {
  readonly hasLog: boolean
  readonly at: Moments
}

const NOTHING: Moments = {}

/** What a server has open. */
function started(path: string, { hasLog = true, at = NOTHING }: Partial<Options> = {}): Server {
  const names = new NameTable({ seed: 1 })
  const opened = openDatabase(path, names)
  if (!opened.ok) throw new Error(opened.why)
  const intern = (name: string) => names.intern(name)
  const nameOf = (handle: number) => names.nameOf(handle)
  const { log } = openLog({ path: hasLog ? `${path}-log` : null, bytes: 65_536, intern, nameOf })
  const followLog = new FollowLog(log, names)
  const recorder: ChangeRecorder = {
    begin(...change) {
      at.beforeRecord?.()
      followLog.begin(...change)
      at.beforeCommit?.()
    },
    end(isMade) {
      at.afterCommit?.()
      followLog.end(isMade)
    },
  }
  const { subscriptions } = storesOf(opened.value, names, { findsSubjects: true, recorder })
  const isKnown = followLog.open(subscriptions)
  return {
    isKnown,
    subscriptions,
    publish: (subject) => log.append(newFrame(Buffer.from('x'), true, subject)),
    missedBy: (user, after) =>
      log.missedBy({ user, follows: subscriptions.subjectsOf(user), subjects: [] }, after),
    [Symbol.dispose]() {
      log.close()
      subscriptions.close()
    },
  }
}

const newPath = () => `${folder}/${paths++}.db`
const pair = (user: number, subject: number) => Uint32Array.of(user, subject)

test('what a user followed at the time counts, also over restarts', async () => {
  const path = newPath()
  let begun: number
  {
    using server = started(path)
    begun = server.publish(9)
    server.publish(5)
    await server.subscriptions.add(pair(1, 5))
  }
  {
    using server = started(path)
    const followed = server.publish(5)
    await server.subscriptions.remove(pair(1, 5))
    server.publish(5)
    expect(server.missedBy(1, begun)).toEqual({ numbers: [followed] })
  }
  using server = started(path)
  expect(server.missedBy(1, begun)).toMatchObject({ numbers: [expect.any(Number)] })
})

describe('what the log does not know, is as it is after it', () => {
  test.each([
    [
      'the database was changed without the log',
      async (path: string) => {
        using other = started(path, { hasLog: false })
        await other.subscriptions.add(pair(1, 5))
      },
    ],
    [
      'many subscriptions changed together',
      async (path: string) => {
        using server = started(path)
        const pairs = Array.from({ length: 20 }, (_, at) => [1, 5 + at])
        await server.subscriptions.add(Uint32Array.from(pairs.flat()))
      },
    ],
  ])('%s', async (what, change) => {
    const path = newPath()
    let begun: number
    let before: number
    {
      using server = started(path)
      begun = server.publish(9)
      before = server.publish(5)
    }
    await change(path)
    using server = started(path)
    // What it has recorded itself, it need not be told of at a start.
    expect(server.isKnown).toBe(what !== 'the database was changed without the log')
    const after = server.publish(5)
    expect(server.missedBy(1, begun)).toEqual({ numbers: [before, after] })
  })
})

describe('a kill in the middle of a change', () => {
  /** What the process would leave behind if it were killed now. */
  function copyTo(from: string, to: string): void {
    for (const suffix of ['', '-wal', '-journal', '-log']) {
      if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix)
    }
  }

  test.each([
    ['beforeRecord', false],
    ['beforeCommit', false],
    ['afterCommit', true],
  ] as const)('%s leaves nothing unknown', async (moment, isMade) => {
    const [path, left] = [newPath(), newPath()]
    let isArmed = false
    let begun: number
    let first: number
    {
      using server = started(path, {
        at: { [moment]: () => isArmed && copyTo(path, left) },
      })
      begun = server.publish(9)
      await server.subscriptions.add(pair(1, 5))
      first = server.publish(5)
      await server.subscriptions.remove(pair(1, 5))
      await server.subscriptions.add(pair(2, 6))
      server.publish(5)
      isArmed = true
      await server.subscriptions.add(Uint32Array.of(1, 5, 3, 5))
      isArmed = false
    }
    using server = started(left)
    expect([server.isKnown, server.subscriptions.has(1, 5)]).toEqual([true, isMade])
    const [about5, about6] = [server.publish(5), server.publish(6)]
    expect(server.missedBy(1, begun)).toEqual({ numbers: isMade ? [first, about5] : [first] })
    expect(server.missedBy(2, begun)).toEqual({ numbers: [about6] })
    expect(server.missedBy(3, begun)).toEqual({ numbers: isMade ? [about5] : [] })
  })

  test('with many pairs is known, too', async () => {
    const [path, left] = [newPath(), newPath()]
    {
      using server = started(path, { at: { afterCommit: () => copyTo(path, left) } })
      server.publish(5)
      await server.subscriptions.add(Uint32Array.from({ length: 80 }, (_, at) => 1 + at))
    }
    using server = started(left)
    expect([server.isKnown, server.subscriptions.has(1, 2)]).toEqual([true, true])
  })
})

test('a change that fails leaves what users followed as it was', async () => {
  using server = started(newPath(), {
    at: {
      beforeCommit: () => {
        throw new Error('refused by the test')
      },
    },
  })
  const begun = server.publish(9)
  server.publish(5)
  await expect(server.subscriptions.add(pair(1, 5))).rejects.toThrow('refused by the test')
  server.publish(5)
  expect(server.missedBy(1, begun)).toEqual({ numbers: [] })
})
