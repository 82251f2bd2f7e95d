// Goal: the public port speaks TLS with the certificate given, and with a renewed one after SIGHUP,
// with no stream lost. Method: the executable, with one process and with workers.

import { describe, expect, test } from 'bun:test'
import { makeCertificate, shownName, streamOverTls } from '../../support/certificate.ts'
import { waitFor } from '../../support/child-process.ts'
import { NO_FILE, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { chunk, get, RawClient } from '../../support/raw-client.ts'

describe.each([[[]], [['--workers', '2']]])('TLS, %p', (args) => {
  test('streams stay open while SIGHUP renews the certificate', async () => {
    await using folder = await makeFolder()
    const { cert, key } = await makeCertificate(folder.path, 'first')
    await using server = await serve(['--tls-cert', cert, '--tls-key', key, ...args])
    expect(server.publicUrl).toStartWith('https://')
    using before = streamOverTls(server.publicPort, 1)
    await waitFor('the welcome', () => before.text.includes('Id: 1\n'))
    expect(await shownName(server.publicPort)).toBe('first')

    const second = await makeCertificate(folder.path, 'second')
    await Bun.$`mv ${second.cert} ${cert} && mv ${second.key} ${key}`
    server.kill('SIGHUP')
    // Each process changes at its own moment, and refuses while it opens its port again.
    let shown = 0
    await waitFor('the other certificate in all processes', async () => {
      shown = (await shownName(server.publicPort).catch(() => '')) === 'second' ? shown + 1 : 0
      return shown === 8
    })
    using after = streamOverTls(server.publicPort, 2)
    await waitFor('the welcome', () => after.text.includes('Id: 2\n'))
    for (const [user, stream] of [
      [1, before],
      [2, after],
    ] as const) {
      expect(await server.publish({ to: user, body: 'Hello' })).toBe(1)
      await waitFor('the message', () => stream.text.endsWith(chunk('Hello')))
    }
    server.kill('SIGTERM')
    expect((await server.finished).exitCode).toBe(0)
    expect(server.stderr).not.toContain('"event":"bug"')
  })

  test('SIGHUP with an invalid certificate keeps the old one', async () => {
    await using folder = await makeFolder()
    const { cert, key } = await makeCertificate(folder.path, 'first')
    await using server = await serve(['--tls-cert', cert, '--tls-key', key, ...args])
    await Bun.write(cert, 'nonsense')
    server.kill('SIGHUP')
    await server.logged('"event":"reload_failed"')
    expect(await shownName(server.publicPort)).toBe('first')
  })

  test('a client without TLS gets no stream', async () => {
    await using folder = await makeFolder()
    const { cert, key } = await makeCertificate(folder.path, 'first')
    await using server = await serve(['--tls-cert', cert, '--tls-key', key, ...args])
    await using client = await RawClient.open(server.publicPort, get('/test/1'))
    expect(await client.ended()).not.toContain('Welcome')
    expect((await server.stats()).streams.opened).toBe(0)
  })
})

test('comet serve exits 2 for an invalid certificate or key', async () => {
  await using folder = await makeFolder()
  const first = await makeCertificate(folder.path, 'first')
  const second = await makeCertificate(folder.path, 'second')
  for (const [args, why] of [
    [['--tls-cert', first.cert], 'give --tls-cert and --tls-key, or neither'],
    [['--tls-cert', first.cert, '--tls-key', second.key], 'is not the one of the certificate'],
    [['--tls-cert', first.key, '--tls-key', first.key], 'are no certificate and key in PEM'],
    [['--tls-cert', '/nonexistent', '--tls-key', first.key], '/nonexistent is not there'],
  ] as const) {
    const { exitCode, stderr } = await run([
      'serve',
      ...NO_FILE,
      '--listen',
      '127.0.0.1:0',
      ...args,
    ])
    expect([args, exitCode]).toEqual([args, 2])
    expect(stderr).toContain(why)
  }
})
