// Goal: a port answers, closes its connections when it is told that files are short, and stops
// without leaving a connection open. Method: real ports, and raw clients that see how their
// connection ends.

import { describe, expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { RawClient } from '../../scripts/support/raw-client.ts'
import { httpUrl } from '../core/address.ts'
import { httpLimits } from '../core/http-limits.ts'
import { OK, refused } from '../core/result.ts'
import { FakeClock, until } from '../core/time.fixture.ts'
import { listening } from './listener.fixture.ts'
import type { Listener } from './listener.ts'

/** A client that has asked once. */
function asking(listener: Listener): Promise<RawClient> {
  return RawClient.request(listener.port, 'GET / HTTP/1.1')
}

describe('a connection', () => {
  test('is kept for the next request while files are not short', async () => {
    const listener = listening({ isShort: () => false })
    using client = await asking(listener)
    expect((await client.headed()).fields.get('connection')).not.toBe('close')
    await until('the answer has come', () => client.rest === 'yes')
    client.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    await until('the second answer has come', () => client.rest.endsWith('\r\n\r\nyes'))
    expect(client.ending).toBe('open')
    await listener.stop(0)
  })

  test('is closed after its answer while files are short', async () => {
    let short = false
    const listener = listening({ isShort: () => short })
    using client = await asking(listener)
    await until('the first answer has come', () => client.rest === 'yes')
    short = true
    client.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    await until('the connection is closed', () => client.ending !== 'open')
    expect(client.rest).toMatch(/\r\nconnection: close\r\n(.*\r\n)*\r\nyes$/i)
    expect(client.ending).toBe('cut')
    await listener.stop(0)
  })

  test('is closed though the answer takes its time', async () => {
    const answer = Promise.withResolvers<Response>()
    const listener = listening({ isShort: () => true, fetch: () => answer.promise })
    using client = await asking(listener)
    answer.resolve(new Response('late', { status: 404 }))
    const { status, fields } = await client.headed()
    expect([status, fields.get('connection')]).toEqual([404, 'close'])
    await until('the connection is closed', () => client.ending === 'cut')
    expect(client.rest).toBe('late')
    await listener.stop(0)
  })

  test('is kept no longer than the port waits for a head, or for the next one', async () => {
    let headMs = 60_000
    let cut = 0
    const onNoHead = (count: number) => {
      cut += count
    }
    const listener = listening({ headMs: () => headMs, idleMs: 10, onNoHead })
    using idle = await asking(listener)
    await until('the answer has come', () => idle.rest === 'yes')
    using silent = await RawClient.open(listener.port)
    using slow = await RawClient.open(listener.port)
    slow.send('GET / HTTP/1.1\r\nHost: ')
    headMs = 100
    const clients = [idle, silent, slow]
    await until('all are closed', () => clients.every(({ ending }) => ending === 'cut'))
    expect(cut).toBe(3)
    await listener.stop(0)
  })

  test('whose answer is sent in part when the port stops, is closed once all is sent', async () => {
    const length = 12 * 1024 * 1024
    const listener = listening({ fetch: () => new Response('x'.repeat(length)), idleMs: 1e9 })
    using client = await asking(listener)
    await client.headed()
    client.pause()
    const stopped = listener.stop(60_000)
    await Bun.sleep(20)
    client.resume()
    expect(await stopped).toBeFalse()
    await until('it is closed', () => client.ending === 'cut')
    expect(client.rest.length).toBe(length)
  })

  test('whose client takes nothing of its answer, or does not leave after it, is ended', async () => {
    const clock = new FakeClock()
    const fetch = () => new Response('x'.repeat(48 * 1024 * 1024))
    const listener = listening({ clock, fetch, headMs: () => 1e9, idleMs: 1e9 })
    using slow = await asking(listener)
    await slow.headed()
    slow.pause()
    using lingering = await RawClient.open(listener.port, 'no HTTP\r\n')
    lingering.pause()
    await Bun.sleep(20)
    let wasCut: boolean | null = null
    listener.stop(3_500).then((cut) => {
      wasCut = cut
    })
    await until('both are ended', () => {
      clock.advance(httpLimits.writeMsMax / 20)
      return wasCut !== null
    })
    expect(wasCut).toBeFalse()
    lingering.resume()
    await until('its answer has come', () => lingering.ending === 'cut')
    expect(lingering.text).toStartWith('HTTP/1.1 400 ')
    slow.resume()
    await until('it is reset', () => slow.ending === 'reset')
  }, 10_000)

  test('on a Unix socket is kept no longer, too', async () => {
    const socketPath = `${tmpdir()}/comet-idle-${process.pid}.sock`
    const address = { hostname: '', port: 0, socketPath }
    const listener = listening({ addresses: [address], idleMs: 1 })
    let text = ''
    const closed = Promise.withResolvers<void>()
    const socket = await Bun.connect({
      unix: socketPath,
      socket: {
        data: (_, bytes) => {
          text += bytes.toString()
        },
        close: () => closed.resolve(),
      },
    })
    socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    await closed.promise
    expect(text).toEndWith('yes')
    await listener.stop(0)
  }, 12_000)

  test.each<[string, boolean, () => Promise<Response>]>([
    ['throws', false, thrown],
    ['throws while files are short', true, thrown],
    ['rejects', false, () => Promise.reject(new Error('a bug'))],
    ['rejects while files are short', true, () => Promise.reject(new Error('a bug'))],
  ])('whose answer %s is answered with 500', async (_, short, fetch) => {
    const errors: string[] = []
    const onBug = (error: unknown) => errors.push((error as Error).message)
    const listener = listening({ isShort: () => short, fetch, onBug })
    using client = await asking(listener)
    expect([(await client.headed()).status, errors]).toEqual([500, ['a bug']])
    await listener.stop(0)
  })
})

function thrown(): never {
  throw new Error('a bug')
}

describe('stop', () => {
  test('cuts no connection where there is none', async () => {
    const listener = listening()
    expect(await listener.stop(60_000)).toBe(false)
    await expect(RawClient.open(listener.port)).rejects.toThrow()
  })

  test('waits for an answer that is under way, and then cuts no connection', async () => {
    const answer = Promise.withResolvers<Response>()
    let asked = false
    const fetch = () => {
      asked = true
      return answer.promise
    }
    const listener = listening({ fetch })
    using client = await asking(listener)
    await until('the request was read', () => asked)
    const stopped = listener.stop(60_000)
    answer.resolve(new Response('at last'))
    expect(await stopped).toBe(false)
    await until('the answer has come', () => client.rest === 'at last')
  })

  test('cuts what is still under way when the time is over', async () => {
    let asked = 0
    const fetch = () => {
      asked++
      return new Promise<Response>(() => undefined)
    }
    const listener = listening({ fetch })
    using first = await asking(listener)
    using second = await asking(listener)
    await until('the requests were read', () => asked === 2)
    expect(await listener.stop(5)).toBe(true)
    await until('both are cut', () => first.ending !== 'open' && second.ending !== 'open')
  })

  test('cuts connections of before a pause too', async () => {
    let asked = false
    const fetch = () => {
      asked = true
      return new Promise<Response>(() => undefined)
    }
    const listener = listening({ fetch })
    using client = await asking(listener)
    await until('the request was read', () => asked)
    listener.pause()
    expect(listener.resume()).toEqual(OK)
    expect(await listener.stop(5)).toBe(true)
    await until('it is cut', () => client.ending !== 'open')
  })
})

describe('several addresses', () => {
  const addresses = ['127.0.0.1', '::1'].map((hostname) => ({ hostname, port: 0 }))

  async function answers(listener: Listener): Promise<boolean[]> {
    return Promise.all(
      listener.addresses.map(async (address) => {
        const response = await fetch(httpUrl(address)).catch(() => null)
        return response?.ok === true
      }),
    )
  }

  test('are opened, paused and opened again together, each at its own port', async () => {
    const listener = listening({ addresses, isShort: () => true })
    const ports = listener.addresses.map(({ port }) => port)
    expect([ports.length, ports.includes(0)]).toEqual([2, false])
    expect(await answers(listener)).toEqual([true, true])
    listener.pause()
    expect([listener.paused, await answers(listener)]).toEqual([true, [false, false]])
    expect(listener.resume()).toEqual(OK)
    expect(listener.addresses.map(({ port }) => port)).toEqual(ports)
    expect(await answers(listener)).toEqual([true, true])
    await listener.stop(0)
  })

  test('are not opened if one of them cannot be', async () => {
    const listener = listening({ addresses, isShort: () => true })
    listener.pause()
    const [, second] = listener.addresses
    using _thief = Bun.listen({
      hostname: '::1',
      port: second?.port ?? 0,
      socket: { data: () => undefined },
    })
    expect(listener.resume()).toEqual(
      refused(`::1:${second?.port} is in use; stop what listens there or choose another`),
    )
    expect(listener.paused).toBe(true)
    await expect(RawClient.open(listener.port)).rejects.toThrow()
    await listener.stop(0)
  })
})

test('a certificate with which the port cannot be opened is forgotten', async () => {
  const listener = listening()
  expect(listener.renew({ cert: 'nonsense', key: 'nonsense' })).toEqual({
    ok: false,
    why: expect.stringContaining('cannot be opened'),
  })
  expect(listener.paused).toBe(true)
  expect(listener.resume()).toEqual(OK)
  using client = await asking(listener)
  expect((await client.headed()).status).toBe(200)
  await listener.stop(0)
})
