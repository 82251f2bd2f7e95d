// The description of the control port, as OpenAPI 3.1: what Elysia knows of the routes, and what
// holds for all of them: who may ask, what every request may be refused for, and names for code
// that is made from it.

import type { OpenAPIV3_1 as OpenApi } from 'openapi-types'
import { build } from '../core/build.ts'
import type { ErrorCode } from '../core/errors.ts'
import { keyLimits } from '../core/history-limits.ts'
import { messageLimits } from '../core/limits.ts'
import { KEY_PATTERN, KEY_RULE } from '../core/name.ts'
import { failures } from './documented.ts'
import { LOG_QUERY } from './log.ts'
import { PAGE_QUERY } from './page.ts'

type Parameter = OpenApi.ParameterObject
type Document = OpenApi.Document

interface Operation {
  /** The name of its function in clients that are made from the description. */
  readonly id: string
  /** Parameters besides those of the path. */
  readonly others?: readonly Parameter[]
}

const NOTE: Parameter = {
  ...{ name: 'note', in: 'query' },
  description: 'Sent to the clients.',
  schema: { type: 'string', maxLength: messageLimits.noteLengthMax },
}

const KEY: Parameter = {
  ...{ name: 'Idempotency-Key', in: 'header' },
  description:
    `Sent again with the same key within ${keyLimits.keptMs / 60_000} minutes, the message goes out ` +
    `once, and each time the answer is that of the first. It is ${KEY_RULE}.`,
  schema: { type: 'string', pattern: KEY_PATTERN },
}

const FEED_QUERY: readonly Parameter[] = [
  {
    ...{ name: 'after', in: 'query', schema: { type: 'string' } },
    description: 'An `id` of a line of the feed, or `oldest`; without it the next event is first.',
  },
  {
    ...{ name: 'snapshot', in: 'query', schema: { type: 'boolean', default: false } },
    description:
      'List who is connected, too: first, or with an id only after a gap. The list is complete once ' +
      'a line has `"snapshot":"complete"`.',
  },
  {
    ...{ name: 'Last-Event-ID', in: 'header', schema: { type: 'string' } },
    description: 'The same, of a client that comes back by itself; counts more.',
  },
]

/** By method and path; a route without a row is a bug that a test finds. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'post /messages': { id: 'sendMessages' },
  'post /users/{id}': { id: 'sendToUser', others: [KEY] },
  'post /subjects/{id}': { id: 'sendAboutSubject', others: [KEY] },
  'get /subjects/{id}': { id: 'getAudience' },
  'get /users': { id: 'listConnectedUsers', others: PAGE_QUERY },
  'get /users/{id}': { id: 'getPresence' },
  'delete /users/{id}/streams': { id: 'endStreams', others: [NOTE] },
  'put /users/{id}/subscriptions/{subject}': { id: 'subscribe' },
  'delete /users/{id}/subscriptions/{subject}': { id: 'unsubscribe' },
  'get /users/{id}/subscriptions': { id: 'listSubscriptions', others: PAGE_QUERY },
  'get /users/{id}/subscribers': { id: 'listSubscribers', others: PAGE_QUERY },
  'post /subscriptions': { id: 'addSubscriptions' },
  'delete /subscriptions': { id: 'removeSubscriptions' },
  'post /tickets': { id: 'issueTicket' },
  'get /feed': { id: 'followConnections', others: FEED_QUERY },
  'get /log': { id: 'readLog', others: LOG_QUERY },
  'get /stats': { id: 'getStats' },
  'get /metrics': { id: 'getMetrics' },
  'get /livez': { id: 'checkAlive' },
  'get /readyz': { id: 'checkReady' },
}

/** Asked without a token, by probes. */
const OPEN = new Set(['get /livez', 'get /readyz'])

/** What any request may be refused for before its route is asked. */
const OPEN_FAILURES: readonly ErrorCode[] = ['foreign_origin', 'unknown_host']
const GUARDED_FAILURES: readonly ErrorCode[] = ['unauthorized', 'forbidden', ...OPEN_FAILURES]

export const DOCUMENTATION = {
  info: {
    title: 'comet control port',
    version: build.version,
    description: 'Send messages to connected users, and see what the server does.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
} as const

/** @param document as Elysia describes the routes */
export function completed(document: Document): Document {
  const paths: Record<string, OpenApi.PathItemObject> = {}
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    const entries = Object.entries(item ?? {}).map(([method, operation]) => [
      method,
      described(`${method} ${path}`, operation as OpenApi.OperationObject),
    ])
    paths[path] = Object.fromEntries(entries)
  }
  return {
    ...document,
    ...{ openapi: '3.1.1', paths },
    servers: [{ url: '/', description: 'This server' }],
    security: [{ token: [] }],
    components: {
      ...document.components,
      securitySchemes: {
        token: {
          ...{ type: 'http', scheme: 'bearer' },
          description: 'A token of --control-token-file; without one nothing is asked for.',
        },
      },
    },
  }
}

function described(name: string, operation: OpenApi.OperationObject): OpenApi.OperationObject {
  const known = OPERATIONS[name]
  if (known === undefined) return operation
  const path = (operation.parameters ?? []).filter((each) => 'in' in each && each.in === 'path')
  const isOpen = OPEN.has(name)
  return {
    ...operation,
    operationId: known.id,
    parameters: [...path, ...(known.others ?? [])],
    ...(isOpen && { security: [] }),
    responses: {
      // The same in both versions of OpenAPI.
      ...(failures(...(isOpen ? OPEN_FAILURES : GUARDED_FAILURES)) as OpenApi.ResponsesObject),
      ...operation.responses,
    },
  }
}
