// Goal: what is asserted of a flood is held against what happened, and what never opened has
// failed. Method: the executable against comet, and against servers that answer some requests or
// none.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { run, serve, start } from '../../support/comet.ts'
import { floodReport } from '../../support/reports.ts'

/** Accepts every connection, and answers the first so many. */
class QuietServer implements Disposable {
  accepted = 0
  readonly #listener: Bun.TCPSocketListener<undefined>

  constructor(answered = 0) {
    this.#listener = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open: () => {
          this.accepted++
        },
        data: (socket) => {
          if (this.accepted <= answered) socket.write('HTTP/1.1 200 OK\r\n\r\n')
        },
      },
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.port}/{id}`
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true)
  }
}

const NONE_FAILED = ['--assert', 'failed=0,closed=0']

describe('what never opened has failed', () => {
  test('where the server is silent to the end', async () => {
    using server = new QuietServer()
    const options = ['--connections', '3', '--duration', '500ms', '--json']
    const flooded = await run(['flood', server.url, ...options, ...NONE_FAILED])
    expect(flooded.exitCode).toBe(1)
    expect(flooded.stderr).toContain('comet flood: failed is 3, not =0\n')
    const { connections, errors } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 3, opened: 0, failed: 3, closed: 0 })
    expect(errors).toEqual({ unanswered_at_end: 3 })
  })

  test('where it was not begun before the end', async () => {
    using server = new QuietServer(2)
    const options = ['--connections', '5', '--pending', '1', '--json', ...NONE_FAILED]
    await using flooding = start(['flood', server.url, ...options])
    await waitFor('a connection without an answer', () => server.accepted === 3)
    flooding.kill('SIGINT')
    const flooded = await flooding.finished
    expect(flooded.exitCode).toBe(1)
    const { connections, errors } = floodReport(flooded)
    expect(connections).toEqual({ wanted: 5, opened: 2, failed: 3, closed: 0 })
    expect(errors).toEqual({ unanswered_at_end: 1, not_begun: 2 })
  })
})

describe('an assertion', () => {
  test('about what opened is met exactly if so many did', async () => {
    await using server = await serve()
    const flood = async (wanted: string) =>
      await run([
        ...['flood', `${server.publicUrl}/test/{id}`, '--connections', '3', '--hold', '1ms'],
        ...['--assert', wanted],
      ])
    expect(await flood('opened=3')).toMatchObject({ exitCode: 0, stderr: '' })
    const stderr = 'comet flood: opened is 3, not =4\n'
    expect(await flood('opened=4')).toMatchObject({ exitCode: 1, stderr })
  })

  test('may be about any percentile', async () => {
    await using server = await serve()
    const flood = async (wanted: string) =>
      await run([
        ...['flood', `${server.publicUrl}/test/{id}`, '--connections', '3', '--hold', '1ms'],
        ...['--assert', wanted],
      ])
    const good = 'connect-p98<1min,connect-p99.5<1min,connect-p99.99<1min'
    expect(await flood(good)).toMatchObject({ exitCode: 0, stderr: '' })
    const unmeasured = await flood('p98<1s,p99.99<1s')
    expect(unmeasured.exitCode).toBe(1)
    expect(unmeasured.stderr).toContain('comet flood: p98 was not measured, wanted <1000ms\n')
    expect((await flood('p100<1s')).exitCode).toBe(2)
  })
})
