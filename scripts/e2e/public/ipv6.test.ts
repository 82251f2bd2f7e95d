// Goal: IPv6 addresses work as IPv4 ones do, in each way of writing them.
// Method: the executable, with both ports on the loopback address of IPv6 alone.

import { describe, expect, test } from 'bun:test'
import { run, serve, start } from '../../support/comet.ts'
import { floodReport, genReport } from '../../support/reports.ts'

const ON_IPV6 = ['--listen', '[::1]:0', '--control', '[::1]:0']
const QUICK = ['--connections', '8', '--hold', '100ms', '--json']

describe('with a server at an IPv6 address', () => {
  test('comet flood opens streams and compares, for each form of the address', async () => {
    await using server = await serve(ON_IPV6)
    const { publicPort, controlPort } = server
    const [short, long] = [`[::1]:${publicPort}`, `[0:0:0:0:0:0:0:1]:${publicPort}`]
    for (const url of [short, long, `http://${short}/test/{id}`, `${short}/test/{id}`]) {
      const control = ['--control', `[::1]:${controlPort}`]
      const flooded = await run(['flood', url, ...QUICK, ...control])
      expect([url, flooded.exitCode, flooded.stderr]).toEqual([url, 0, ''])
      expect(floodReport(flooded).server).toMatchObject({ believed: 8, open: 8 })
    }
  })

  test('comet flood refuses a --source address of the other family', async () => {
    await using server = await serve(ON_IPV6)
    const url = `[::1]:${server.publicPort}`
    const flooded = await run(['flood', url, ...QUICK, '--source', '::1'])
    expect(floodReport(flooded).connections.opened).toBe(8)
    const foreign = await run(['flood', url, ...QUICK, '--source', '127.0.0.1'])
    expect(foreign.exitCode).toBe(2)
    expect(foreign.stderr).toContain('--source 127.0.0.1 cannot connect to ::1\n')
    const back = await run(['flood', '127.0.0.1:9', ...QUICK, '--source', '::1-::2'])
    expect(back.exitCode).toBe(2)
  })

  test('comet gen publishes, and --find-rate opens its streams', async () => {
    await using server = await serve(ON_IPV6)
    const { publicPort, controlPort, controlUrl } = server
    const control = `[::1]:${controlPort}`
    for (const url of [control, controlUrl]) {
      const generated = await run(['gen', url, '--messages', '20', '--users', '5', '--json'])
      expect([url, generated.exitCode, genReport(generated).sent]).toEqual([url, 0, 20])
    }
    const streams = ['--streams', `[::1]:${publicPort}`, '--slo', 'p99<5s']
    const search = ['--find-rate', ...streams, '--users', '5', '--rate', '50', '--duration', '1s']
    await using searching = start(['gen', control, ...search])
    await searching.logged('messages a second: held, p99 ')
  })

  test('comet health gets an answer, also at the address in COMET_CONTROL', async () => {
    await using server = await serve(ON_IPV6)
    const address = `[::1]:${server.controlPort}`
    for (const asked of [address, `http://${address}`, server.controlUrl]) {
      const { exitCode, stderr } = await run(['health', asked, '--ready'])
      expect([asked, exitCode, stderr]).toEqual([asked, 0, ''])
    }
    for (const control of [address, `[::]:${server.controlPort}`]) {
      const env = { COMET_CONTROL: control }
      expect((await run(['health'], { env })).exitCode).toBe(0)
    }
  })
})
