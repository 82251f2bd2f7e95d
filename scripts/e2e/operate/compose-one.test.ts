// Goal: the file for one server in a container does what it says: clients with a token of its
// secret have their stream, publishers with its token publish, and data survives a restart. Method:
// the options of that file, with a server of this machine in place of a container.

import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { YAML } from 'bun'
import packageJson from '../../../package.json'
import { ask, type CometServer, run, serve } from '../../support/comet.ts'
import { COMPOSE_FOLDER } from '../../support/compose.ts'
import { makeFolder } from '../../support/folder.ts'
import { RawClient } from '../../support/raw-client.ts'

interface One {
  readonly services: {
    readonly comet: {
      readonly image: string
      readonly command: readonly string[]
      readonly ports: readonly string[]
      readonly volumes: readonly string[]
      readonly secrets: readonly string[]
      readonly stop_grace_period: string
    }
  }
  readonly volumes: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
}

const file = readFileSync(`${COMPOSE_FOLDER}/one.yaml`, 'utf8')
const { services, volumes, secrets } = YAML.parse(file) as One
const { comet } = services

test('the file names an image, secrets and a volume that there are', () => {
  expect(comet.image).toBe(`localhost/comet:${packageJson.version}`)
  expect(comet.secrets.toSorted()).toEqual(Object.keys(secrets).sort())
  for (const [name, secret] of Object.entries(secrets)) {
    expect(secret.file).toBe(`./${name}`)
    expect(file).toContain(`base64 > ${name}\n`)
    expect(comet.command).toContain(`/run/secrets/${name}`)
  }
  expect(comet.volumes).toEqual(Object.keys(volumes).map((name) => `${name}:/data`))
  // The control port is published to this machine alone.
  expect(comet.ports).toEqual(['8000:8000', '127.0.0.1:8001:8001'])
})

test('the server has streams for tokens, takes messages by a token, and keeps its data', async () => {
  await using folder = await makeFolder()
  // As its first lines make them.
  for (const name of ['control-token', 'jwt-secret']) {
    await Bun.$`head -c 32 /dev/urandom | base64 > ${folder.path}/${name}`
  }
  const [, ...args] = comet.command.map((word) =>
    word.replace('0.0.0.0:8001', '127.0.0.1:0').replace('/run/secrets', folder.path),
  )
  const start = () =>
    serve([...args, '--listen', '127.0.0.1:0', '--db', `${folder.path}/comet.db`], {})
  const control = (await Bun.file(`${folder.path}/control-token`).text()).trim()
  const headers = { authorization: `Bearer ${control}` }
  const asked = (server: CometServer, path: string, request: RequestInit) =>
    ask(server.controlUrl, path, { ...request, headers })
  const secret = ['--jwt-secret-file', `${folder.path}/jwt-secret`]
  const token = (await run(['token', 'create', '--user', 'alice', ...secret])).stdout.trim()
  {
    await using server = await start()
    await using refused = await RawClient.request(server.publicPort, 'GET /stream/alice HTTP/1.1')
    expect((await refused.headed()).status).toBe(401)
    const fields = ['Host: localhost', `Authorization: Bearer ${token}`]
    const line = 'GET /stream HTTP/1.1'
    await using client = await RawClient.request(server.publicPort, line, fields)
    await client.received('HTTP/1.1 200')
    expect(
      (await ask(server.controlUrl, '/users/alice', { method: 'POST', body: 'x' })).status,
    ).toBe(401)
    const published = await asked(server, '/users/alice', { method: 'POST', body: 'Hello' })
    expect(await published.json()).toMatchObject({ delivered: 1 })
    await client.received('Hello')
    const followed = await asked(server, '/users/alice/subscriptions/news', { method: 'PUT' })
    expect(await followed.json()).toEqual({ changed: true })
    const startedMs = performance.now()
    expect(await server.end('SIGTERM', 60_000)).toBe(0)
    const seconds = (performance.now() - startedMs) / 1_000
    expect(seconds).toBeLessThan(Number.parseInt(comet.stop_grace_period, 10))
  }
  await using again = await start()
  const listed = await asked(again, '/subjects/news', {})
  expect(listed.status).toBe(200)
  const follows = await asked(again, '/users/alice/subscriptions', {})
  expect(await follows.json()).toMatchObject({ users: ['news'] })
})
