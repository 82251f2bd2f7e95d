// Goal: flood and gen test another push server, nchan in nginx, as they test comet: what its
// publisher is promised arrives, once and in order. Method: nginx with a configuration made for the
// test.

import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { ChildProcess, waitFor } from '../../support/child-process.ts'
import { ask, freePort, run, start } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'
import { floodReport, genReport } from '../../support/reports.ts'

const NGINX = Bun.which('nginx') ?? Bun.which('nginx', { PATH: '/usr/sbin:/usr/local/sbin' })

/** Where Debian puts it. */
const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so'

// A machine that only builds may have no nginx, or one without nchan.
const withNchan = test.skipIf(NGINX === null || !existsSync(NCHAN))

const STREAMS = 200

/** One process, which writes into the folder only. */
function configuration(folder: string, port: number): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
    load_module ${NCHAN};
    daemon off;
    master_process off;
    pid ${folder}/nginx.pid;
    error_log stderr crit;
    events { worker_connections 1024; }
    http {
      access_log off;
      ${places.map((place) => `${place}_temp_path ${folder}/${place};`).join(' ')}
      server {
        listen 127.0.0.1:${port};
        location ~ ^/sub/(\\d+)$ {
          nchan_subscriber;
          nchan_channel_id $1;
        }
        location ~ ^/pub/(\\d+)$ {
          nchan_publisher;
          nchan_channel_id $1;
        }
      }
    }`
}

interface Nchan extends AsyncDisposable {
  readonly url: string
  /** How many streams there are. */
  streams(): Promise<number>
}

async function startNchan(folder: string): Promise<Nchan> {
  const port = freePort()
  await Bun.write(`${folder}/nginx.conf`, configuration(folder, port))
  const command = [String(NGINX), '-p', folder, '-e', 'stderr', '-c', `${folder}/nginx.conf`]
  const child = new ChildProcess(command)
  const url = `http://127.0.0.1:${port}`
  await waitFor('nginx to listen', async () => {
    if (child.hasExited) throw child.error('exited')
    return await ask(url, '/').then(
      () => true,
      () => false,
    )
  })
  return {
    url,
    streams: async () => {
      const counts = Array.from({ length: STREAMS }, async (_, at) => {
        const headers = { accept: 'application/json' }
        const response = await ask(url, `/pub/${at + 1}`, { headers })
        if (!response.ok) return 0
        return ((await response.json()) as { subscribers: number }).subscribers
      })
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

withNchan.each([
  ['chunked responses', 'TE: chunked'],
  ['server-sent events', 'Accept: text/event-stream'],
])('of nchan, %s have what was promised, once and in order', async (_what, header) => {
  await using folder = await makeFolder()
  await using nchan = await startNchan(folder.path)
  const expected = `${folder.path}/gen.json`
  await using flooding = start([
    ...['flood', `${nchan.url}/sub/{id}`, '--header', header, '--connections', String(STREAMS)],
    ...['--hold', '4s', '--expect', expected, '--json'],
  ])
  await waitFor('the streams', async () => (await nchan.streams()) === STREAMS)
  const generated = await run([
    ...['gen', '--post', `${nchan.url}/pub/{id}`, '--users', String(STREAMS)],
    ...['--rate', '1k', '--messages', '1000', '--json'],
  ])
  expect(genReport(generated)).toMatchObject({ sent: 1_000, delivered: 1_000, unpromised: 0 })
  expect([generated.exitCode, generated.stderr]).toEqual([0, ''])
  await Bun.write(expected, generated.stdout)
  const flooded = await flooding.finished
  const { connections, received, comparison, latency, errors } = floodReport(flooded)
  expect(connections).toEqual({ wanted: STREAMS, opened: STREAMS, failed: 0, closed: 0 })
  expect(comparison).toEqual({ promised: 1_000, lost: 0, unexpected: 0, examples: [] })
  expect(received).toMatchObject({ messages: 1_000, duplicated: 0, reordered: 0, untracked: 0 })
  expect(latency.p50Ms ?? 0).toBeWithin(0.001, 2_000)
  expect([flooded.exitCode, errors, flooded.stderr]).toEqual([0, {}, ''])
})
