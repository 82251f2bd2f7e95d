// Goal: /log gives the lines that are asked for and refuses invalid requests. Method: the route
// without a port.

import { expect, test } from 'bun:test'
import { RecentLog } from '../core/recent-log.ts'
import { FakeClock } from '../core/time.fixture.ts'
import { logRoutes } from './log.ts'

function logOf(count: number) {
  const recent = new RecentLog(new FakeClock(1_000_000))
  for (let at = 1; at <= count; at++) {
    const fields = { worker: at }
    recent.add({ timeMs: 1_000 * at, level: 'warn', event: 'test', message: `line ${at}`, fields })
  }
  const app = logRoutes(recent)
  return (query: string) => app.handle(new Request(`http://localhost/log${query}`))
}

test('the log has its lines with time, level, event, message and fields', async () => {
  const response = await logOf(1)('')
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    lines: [
      {
        ...{ id: 1_000_001, time: '1970-01-01T00:00:01.000Z', level: 'warn', event: 'test' },
        ...{ message: 'line 1', fields: { worker: 1 } },
      },
    ],
    ...{ last: 1_000_001, missed: 0 },
  })
})

test('the log has the newest lines behind an id, as many as wanted', async () => {
  const ask = logOf(9)
  const page = async (query: string) => await (await ask(query)).json()
  expect(await page('?after=1000004&limit=2')).toMatchObject({
    ...{ lines: [{ message: 'line 8' }, { message: 'line 9' }], last: 1_000_009, missed: 3 },
  })
  expect(await page('?after=1000009')).toEqual({ lines: [], last: 1_000_009, missed: 0 })
})

test.each([['after=x'], ['after=-1'], ['limit=0'], ['limit=501'], ['limit=1.5']])(
  '/log?%s is refused',
  async (query) => {
    const response = await logOf(1)(`?${query}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_query' } })
  },
)
