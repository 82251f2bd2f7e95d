// Goal: curl in a shell, which knows nothing of streams, follows one through restarts of the server
// and loses nothing. Method: a loop of five lines, as a user would write it, that asks again behind
// the last id in what has come.

import { afterAll, describe, test } from 'bun:test'
import { ChildProcess } from '../../support/child-process.ts'
import { makeFolder } from '../../support/folder.ts'
import { type ForeignClient, type ForeignEvent, RESTART_CHECKS } from '../../support/restarts.ts'
import { noProcessIsLeft } from '../../support/workers.ts'

afterAll(noProcessIsLeft)

// A machine that only builds may have no curl.
const withCurl = test.concurrent.skipIf(Bun.which('curl') === null)

/** By the name of the format: how the last id is found in all that came, and said. */
const LOOPS = {
  json: `while sleep 0.1; do
  curl -sN "$URL?format=json$after"
  last=$(grep -o '"id":"[^"]*"' got | tail -n 1 | cut -d '"' -f 4)
  after="&after=$last"
done | tee got`,
  sse: `while sleep 0.1; do
  curl -sN "$URL?format=sse" -H "Last-Event-ID: $last"
  last=$(grep '^id: ' got | tail -n 1 | cut -d ' ' -f 2)
done | tee got`,
} as const

type CurlFormat = keyof typeof LOOPS

class Curl implements ForeignClient {
  readonly #format: CurlFormat
  readonly #process: ChildProcess

  constructor(format: CurlFormat, url: string, cwd: string) {
    const options = { name: 'curl', cwd, env: { URL: url }, killsDescendants: true }
    this.#format = format
    this.#process = new ChildProcess(['bash', '-c', LOOPS[format]], options)
  }

  async events(): Promise<ForeignEvent[]> {
    const { stdout } = this.#process
    return this.#format === 'json' ? linesOf(stdout) : eventsOf(stdout)
  }

  async isPlaced(): Promise<boolean> {
    return /"id":"\w|^id: /m.test(this.#process.stdout)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
  }
}

interface Line {
  readonly id?: string
  readonly event?: string
  readonly body?: string
  readonly data?: unknown
  readonly gap?: object
  readonly end?: string
}

function linesOf(text: string): ForeignEvent[] {
  const lines = text.split('\n').slice(0, -1).filter(Boolean)
  return lines.flatMap((line): ForeignEvent[] => {
    const { id = '', event: type = 'message', body, data, gap, end } = JSON.parse(line) as Line
    if (gap !== undefined) return [{ type: 'gap', data: JSON.stringify(gap) }]
    if (end !== undefined) return [{ type: 'end', data: line }]
    if (body !== undefined) return [{ type, data: body, id }]
    return data === undefined ? [] : [{ type, data: JSON.stringify(data), id }]
  })
}

function eventsOf(text: string): ForeignEvent[] {
  return text.split('\n\n').flatMap((block): ForeignEvent[] => {
    const fields = new Map<string, string[]>()
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^(\w+): (.*)$/.exec(line) ?? []
      fields.set(name, [...(fields.get(name) ?? []), value])
    }
    const data = fields.get('data')
    const [type = 'message', id = ''] = [fields.get('event')?.[0], fields.get('id')?.[0]]
    if (type === 'start') return []
    return data === undefined ? [] : [{ type, data: data.join('\n'), id }]
  })
}

describe.each(['json', 'sse'] as const)('curl -N with %s', (format) => {
  const opening =
    (folder: string) =>
    async (origin: string): Promise<ForeignClient> =>
      new Curl(format, `${origin}/stream/alice`, folder)

  for (const [name, check] of RESTART_CHECKS) {
    withCurl(name, async () => {
      await using folder = await makeFolder()
      await check(opening(folder.path))
    })
  }
})
