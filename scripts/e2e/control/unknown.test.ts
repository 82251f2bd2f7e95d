// Goal: the control port answers the same for an id above --max-users, in each place that takes one.
// Method: the executable with the default.

import { expect, test } from 'bun:test'
import { type CometServer, serve } from '../../support/comet.ts'

const ID = 1_114_113
const ERROR = { code: 'unknown_user', message: 'There is no user above 1114112, by --max-users.' }

async function answerOf(server: CometServer, path: string, init: RequestInit = {}) {
  const response = await server.ask(`/${path}`, init)
  return { status: response.status, body: (await response.json()) as object }
}

test('an id above --max-users gets unknown_user, in a path and in a message', async () => {
  await using server = await serve()
  const unknown = { status: 404, body: { error: ERROR } }
  for (const path of [`users/${ID}`, `users/${ID}/subscribers`, `users/${ID}/subscriptions`]) {
    expect(await answerOf(server, path)).toEqual(unknown)
  }
  for (const path of [`users/${ID}/subscriptions/1`, `users/1/subscriptions/${ID}`]) {
    expect(await answerOf(server, path, { method: 'PUT' })).toEqual(unknown)
  }
  for (const body of [`{"to":${ID},"body":"x"}`, `{"subject":${ID},"body":"x"}`]) {
    const one = { 'content-type': 'application/json' }
    expect(await answerOf(server, 'messages', { method: 'POST', headers: one, body })).toEqual(
      unknown,
    )
    const many = { 'content-type': 'application/x-ndjson' }
    const lines = await answerOf(server, 'messages', { method: 'POST', headers: many, body })
    expect(lines.body).toMatchObject({ accepted: 0, rejected: [{ line: 1, error: ERROR }] })
  }
})
