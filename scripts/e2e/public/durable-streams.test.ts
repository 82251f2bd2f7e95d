// Goal: the format `poll` is the read side of the Durable Streams protocol, as its own conformance
// suite sees it. Method: the suite, unchanged, against the executable behind an adapter that writes
// by the control port; with the list of what does not apply, and why.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { plugin } from 'bun'
import { type CometServer, serve } from '../../support/comet.ts'
import { DurableStreamsAdapter } from '../../support/durable-streams.ts'
import { skipTests } from '../../support/vitest/index.ts'

/** Every user has a stream; the control port publishes. */
const NOT_CREATED = 'streams are not created and deleted'
const NOT_WRITTEN = 'the adapter writes'
const NO_SEQUENCE = 'publishers have no sequence numbers'
const NO_EXPIRY = 'streams do not expire'
const JSON_ALONE = 'all messages are JSON'

/** By how a test is named, with the groups around it. */
const NOT_APPLICABLE: readonly (readonly [RegExp, string])[] = [
  [/^Basic Stream Operations /, NOT_CREATED],
  [/^(TTL|HEAD Metadata Edge Cases )/, NO_EXPIRY],
  [/^Fork - /, 'streams are not forked'],
  [/^Idempotent Producer Operations /, 'POST /messages has keys of its own'],
  [/^Stream Closure > (?!HEAD .* head-open-stream)/, 'the stream of a user is never closed'],
  [/(?<!without )\bseq\b|sequence (ordering|numbers)|^Property.* > Sequence Ordering/, NO_SEQUENCE],
  [/non-existent stream/, NOT_CREATED],
  [/ on (PUT|DELETE|201)\b|successful DELETE|PUT without Content-Type/, NOT_CREATED],
  [/ on POST\b|POST (responses|body|with)|PUT (responses|with empty)/, NOT_WRITTEN],
  [/content-type mismatch|^Content-Type Validation |^Case-Insensitivity /, NOT_WRITTEN],
  [/^JSON Mode > should (reject|handle content-type)/, NOT_WRITTEN],
  [/security headers on error responses/, NOT_CREATED],
  [/handle large payload appropriately/, NOT_WRITTEN],
  [/^SSE Mode .*(base64|binary|Encoding header for binary)/, JSON_ALONE],
]

const used = new Set<RegExp>()

skipTests((name) => {
  const found = NOT_APPLICABLE.find(([pattern]) => pattern.test(name))
  if (found === undefined) return null
  used.add(found[0])
  return found[1]
})

// Bun's test runner takes `vitest` for itself, and lacks a part of it.
plugin({
  name: 'vitest of the conformance suite',
  setup(build) {
    build.onLoad({ filter: /server-conformance-tests\/dist\/src-.*\.js$/ }, async ({ path }) => {
      const source = await Bun.file(path).text()
      const shim = `${import.meta.dir}/../../support/vitest/index.ts`
      return { loader: 'js', contents: source.replace('from "vitest"', `from "${shim}"`) }
    })
  },
})

const { runConformanceTests } = await import('@durable-streams/server-conformance-tests')

describe.each([[[]], [['--workers', '3']]])('Durable Streams, %p:', (args) => {
  const options = { baseUrl: '', longPollTimeoutMs: 2_000 }
  let comet: CometServer
  let adapter: DurableStreamsAdapter

  beforeAll(async () => {
    comet = await serve(['--cors-origin', 'https://example.com', ...args])
    adapter = new DurableStreamsAdapter(comet)
    options.baseUrl = adapter.url
  })

  afterAll(async () => {
    await adapter[Symbol.asyncDispose]()
    await comet[Symbol.asyncDispose]()
  })

  runConformanceTests(options)
})

test('the list has nothing that the suite has not', () => {
  expect(NOT_APPLICABLE.filter(([pattern]) => !used.has(pattern))).toEqual([])
})
