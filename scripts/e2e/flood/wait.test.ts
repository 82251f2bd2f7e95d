// Goal: flood and gen limit each wait: for a file that gives nothing, and for a server that accepts
// a request and never answers. Method: the executable with silent pipes and servers, all at once,
// since nearly all of the time is waiting.

import { describe, expect, test } from 'bun:test'
import { run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { floodReport, genReport } from '../../support/reports.ts'

/** A pipe without a writer. */
async function pipeIn(folder: string): Promise<string> {
  const path = `${folder}/pipe`
  await Bun.$`mkfifo ${path}`
  return path
}

describe.concurrent('a pipe without a writer is an error after ten seconds', () => {
  test('of gen --subjects', async () => {
    await using folder = await makeFolder()
    const path = await pipeIn(folder.path)
    const { exitCode, stderr } = await run(['gen', '--subjects', `file:${path}`])
    expect([exitCode, stderr]).toEqual([2, `comet gen: ${path} has given nothing for 10000 ms\n`])
  })

  test('of flood --expect', async () => {
    await using folder = await makeFolder()
    await using server = await serve()
    const path = await pipeIn(folder.path)
    const options = ['--connections', '2', '--hold', '1ms', '--json', '--expect', path]
    const flooded = await run(['flood', `${server.publicUrl}/test/{id}`, ...options])
    expect(flooded.exitCode).toBe(1)
    expect(flooded.stderr).toContain(`--expect ${path} could not be read within 10000 ms`)
    expect(floodReport(flooded).connections.opened).toBe(2)
  })
})

describe.concurrent('a server that does not answer is an error', () => {
  test.each([
    ['at all', ''],
    [
      'to the end',
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    ],
  ])('of gen, %s', async (_what, answer) => {
    using server = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: (socket) => void socket.write(answer) },
    })
    const options = ['--messages', '1', '--duration', '1s', '--json']
    const generated = await run(['gen', `http://127.0.0.1:${server.port}`, ...options])
    expect(generated.exitCode).toBe(1)
    expect(genReport(generated)).toMatchObject({ unanswered: 1, errors: { no_answer: 1 } })
  })

  test('of flood --control', async () => {
    await using server = await serve()
    using control = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: () => undefined },
    })
    const options = ['--connections', '2', '--hold', '1ms']
    const compare = ['--control', `http://127.0.0.1:${control.port}`]
    const flooded = await run(['flood', `${server.publicUrl}/test/{id}`, ...options, ...compare])
    expect(flooded.exitCode).toBe(1)
    expect(flooded.stderr).toContain('has not responded within 5000 ms')
  })
})
