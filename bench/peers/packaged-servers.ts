// The servers of Debian's packages: nginx with nchan, pushpin and mosquitto. Each is configured
// here, in a folder of its own, as the work asks: one process where there is a choice, on loopback,
// without logs.

import { type ChildProcess, waitFor } from '../../scripts/support/child-process.ts'
import { freePort } from '../../scripts/support/comet.ts'
import { makeFolder } from '../../scripts/support/folder.ts'
import { startProgram } from '../harness/process.ts'
import type { Found } from './requirements.ts'
import type { Serving, Work } from './servers.ts'

/** Milliseconds until a server listens. */
export const START_MS_MAX = 15_000
/** Ports tried for a server that cannot have the system choose one. */
const PORT_TRIES = 5

/** Seconds that a connection of pushpin to its origin may be idle: as long as Bun allows. */
const ORIGIN_IDLE_SECONDS = 255

/** Of 256 at a time, as with the others, pushpin 1.36 answers some with 502 and ends others. */
const PUSHPIN_PENDING = 16

/** A program that runs, and the folder that it needs. */
interface Started extends AsyncDisposable {
  readonly program: ChildProcess
  readonly ports: readonly number[]
}

interface StartOptions {
  readonly name: string
  /** Ports that it listens on. */
  readonly ports: number
  /** Writes its files into the folder; returns its command. */
  readonly prepare: (folder: string, ports: readonly number[]) => Promise<readonly string[]>
}

/** These servers print nothing once they listen, and cannot have a port chosen for them. */
async function startOnFreePorts({ name, ports: wanted, prepare }: StartOptions): Promise<Started> {
  const folder = await makeFolder()
  for (let tries = 1; ; tries++) {
    const ports = Array.from({ length: wanted }, () => freePort())
    const program = startProgram(name, await prepare(folder.path, ports))
    try {
      for (const port of ports) {
        await waitFor(name, () => accepts(port), START_MS_MAX, { needs: [program] })
      }
      return {
        program,
        ports,
        [Symbol.asyncDispose]: async () => {
          await program[Symbol.asyncDispose]()
          await folder[Symbol.asyncDispose]()
        },
      }
    } catch (error) {
      await program[Symbol.asyncDispose]()
      if (tries < PORT_TRIES) continue
      await folder[Symbol.asyncDispose]()
      throw error
    }
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = { data: () => undefined }
    const connection = await Bun.connect({ hostname: '127.0.0.1', port, socket })
    connection.terminate()
    return true
  } catch {
    return false
  }
}

export async function startNchan(
  { nginx, nchan, openFiles }: Found,
  { connections }: Work,
  genArgs: readonly string[],
): Promise<Serving> {
  if (nginx === null || nchan === null) throw new Error('there is no nginx with nchan')
  const started = await startOnFreePorts({
    name: 'nginx',
    ports: 1,
    prepare: async (folder, [port = 0]) => {
      const config = nchanConfig({ module: nchan, port, connections, openFiles })
      await Bun.write(`${folder}/nginx.conf`, config)
      return [nginx, '-p', folder, '-c', 'nginx.conf', '-e', 'stderr']
    },
  })
  const origin = `http://127.0.0.1:${started.ports[0]}`
  return {
    ...started,
    streamUrl: `${origin}/sub/{id}`,
    floodArgs: ['--header', 'TE: chunked'],
    genArgs: ['--post', `${origin}/pub/{id}`, ...genArgs],
  }
}

interface NchanOptions {
  /** The file of the module. */
  readonly module: string
  readonly port: number
  readonly connections: number
  readonly openFiles: number
}

/** A server with one process that keeps the least of messages and no log. */
export function nchanConfig({ module, port, connections, openFiles }: NchanOptions): string {
  // When no more than a sixteenth of them are free, nginx closes connections that are kept between
  // two requests, which are those of the publishers.
  const workerConnections = Math.min(openFiles - 64, Math.ceil(connections * 1.2) + 1_100)
  return `load_module ${module};
daemon off;
worker_processes 1;
worker_rlimit_nofile ${openFiles};
pid nginx.pid;
error_log stderr warn;
events { worker_connections ${workerConnections}; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  # Publishers keep their connections, as with the others.
  keepalive_requests 1000000000;
  server {
    # As many may wait to be accepted as with Bun.
    listen 127.0.0.1:${port} backlog=512;
    location ~ ^/sub/(\\d+)$ {
      nchan_subscriber http-chunked;
      nchan_channel_id $1;
      # A subscriber gets what is sent from then on.
      nchan_subscriber_first_message newest;
    }
    location ~ ^/pub/(\\d+)$ {
      nchan_publisher http;
      nchan_channel_id $1;
      # The least that may be kept. With a length of 0 nchan 1.3.6 keeps every message until its
      # shared memory is full, and then answers 500.
      nchan_message_buffer_length 1;
      nchan_message_timeout 1s;
    }
  }
}
`
}

/** @param client the compiled program of client.ts, which speaks MQTT */
export async function startMosquitto(
  { mosquitto }: Found,
  client: string,
  genArgs: readonly string[],
): Promise<Serving> {
  if (mosquitto === null) throw new Error('there is no mosquitto')
  const started = await startOnFreePorts({
    name: 'mosquitto',
    ports: 1,
    prepare: async (folder, [port = 0]) => {
      await Bun.write(`${folder}/mosquitto.conf`, mosquittoConfig(port))
      return [mosquitto, '-c', `${folder}/mosquitto.conf`]
    },
  })
  const broker = `mqtt://127.0.0.1:${started.ports[0]}`
  return {
    ...started,
    streamUrl: broker,
    floodArgs: [],
    genArgs: [broker, ...genArgs],
    client: { flood: [client, 'flood'], gen: [client, 'gen'] },
  }
}

function mosquittoConfig(port: number): string {
  return `listener ${port} 127.0.0.1
allow_anonymous true
# It would drop its privileges, and with them the right to read its own configuration.
user root
persistence false
log_dest none
sys_interval 0
set_tcp_nodelay true
# As comet lets 1,024 messages wait for a stream; by default mosquitto drops those above a thousand.
max_queued_messages 1024
`
}

/**
 * pushpin is four processes, and asks an origin what to do with each request that opens a stream:
 * this process, whose CPU time does not count.
 *
 * @param client the compiled program of client.ts, which posts what pushpin publishes
 */
export async function startPushpin(
  { pushpin }: Found,
  { connections }: Work,
  client: string,
  genArgs: readonly string[],
): Promise<Serving> {
  if (pushpin === null) throw new Error('there is no pushpin')
  const origin = Bun.serve({
    ...{ hostname: '127.0.0.1', port: 0, fetch: holdStream },
    // pushpin keeps its connections, and answers 502 when it uses one that was closed meanwhile.
    idleTimeout: ORIGIN_IDLE_SECONDS,
  })
  try {
    const started = await startOnFreePorts({
      name: 'pushpin',
      ports: 2,
      prepare: async (folder, [port = 0, publishPort = 0]) => {
        const config = pushpinConfig({ folder, port, publishPort, connections })
        await Bun.write(`${folder}/pushpin.conf`, config)
        await Bun.write(`${folder}/routes`, `* 127.0.0.1:${origin.port}\n`)
        return [pushpin, `--config=${folder}/pushpin.conf`]
      },
    })
    return {
      ...started,
      streamUrl: `http://127.0.0.1:${started.ports[0]}/test/{id}`,
      // It joins messages that come soon one after the other to one chunk.
      floodArgs: ['--framing', 'line'],
      pending: PUSHPIN_PENDING,
      genArgs: [`pushpin://127.0.0.1:${started.ports[1]}`, ...genArgs],
      client: { gen: [client, 'gen'] },
      [Symbol.asyncDispose]: async () => {
        await started[Symbol.asyncDispose]()
        await origin.stop(true)
      },
    }
  } catch (error) {
    await origin.stop(true)
    throw error
  }
}

/** Has pushpin hold the response open, and send what is published to the channel of the user. */
function holdStream(request: Request): Response {
  const id = request.url.slice(request.url.lastIndexOf('/') + 1)
  return new Response(`Welcome, Url: '/test/${id}' Id: ${id}\n`, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'grip-hold': 'stream',
      'grip-channel': id,
    },
  })
}

interface PushpinOptions {
  readonly folder: string
  readonly port: number
  readonly publishPort: number
  readonly connections: number
}

function pushpinConfig({ folder, port, publishPort, connections }: PushpinOptions): string {
  const socket = (name: string) => `ipc://${folder}/${name}`
  return `[global]
include={libdir}/internal.conf
rundir=${folder}
ipc_prefix=p-
port_offset=0

[runner]
# With zurl of its own, which Debian runs as a service beside it.
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:${port}
logdir=${folder}
# Errors only: by default it writes a line for each message.
log_level=0
client_buffer_size=8192
client_maxconn=${connections + 1_000}
condure_bin=condure
zurl_bin=zurl

[proxy]
routesfile=routes
updates_check=off
zurl_out_specs=${socket('p-zurl-in')}
zurl_out_stream_specs=${socket('p-zurl-in-stream')}
zurl_in_specs=${socket('p-zurl-out')}

[handler]
push_in_spec=${socket('push-in')}
push_in_sub_specs=${socket('push-in-sub')}
push_in_http_addr=127.0.0.1
push_in_http_port=${publishPort}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
stats_spec=${socket('stats')}
command_spec=${socket('command')}
# By default 2,500 messages a second, and no more than so many that wait.
message_rate=1000000000
message_hwm=1000000
`
}
