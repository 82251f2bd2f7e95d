// Debian's proxies in front of a server: nginx, HAProxy and Caddy, each with the configuration file
// of its package, to which a site is added: as little as passes requests on, or what the manual
// recommends. Only addresses and places of files are changed.

import { existsSync, readFileSync } from 'node:fs'
import { makeCertificate } from './certificate.ts'
import { ChildProcess, waitFor } from './child-process.ts'
import { type CometServer, freePort } from './comet.ts'
import { type Folder, makeFolder } from './folder.ts'

export type ProxyName = 'nginx' | 'haproxy' | 'caddy'

export const PROXIES: readonly ProxyName[] = ['nginx', 'haproxy', 'caddy']

const PATH = `${process.env['PATH']}:/usr/sbin:/usr/local/sbin`
const PROGRAMS: Readonly<Record<ProxyName, string | null>> = {
  nginx: Bun.which('nginx', { PATH }),
  haproxy: Bun.which('haproxy', { PATH }),
  caddy: Bun.which('caddy', { PATH }),
}

/** The main file of the package. */
const PACKAGED = { nginx: '/etc/nginx/nginx.conf', haproxy: '/etc/haproxy/haproxy.cfg' } as const

/** Is it installed, as Debian does it? A machine that only builds may have none. */
export function hasProxy(name: ProxyName): boolean {
  return PROGRAMS[name] !== null && (name === 'caddy' || existsSync(PACKAGED[name]))
}

export interface ProxyOptions {
  /** What the manual recommends; otherwise as little as passes requests on. */
  readonly isDocumented?: boolean
  /** TLS to clients, with HTTP/2; the site of the manual has it. */
  readonly hasTls?: boolean
  /** Seconds of silence after which the proxy ends a stream. */
  readonly idleSeconds?: number
}

/** As little as passes requests on. */
const LEAST: Readonly<Record<ProxyName, string>> = {
  nginx: `
    server {
      listen 443 ssl http2;
      ssl_certificate     /etc/ssl/push.example.pem;
      ssl_certificate_key /etc/ssl/push.example.key;
      location / { proxy_pass http://127.0.0.1:8000; }
    }`,
  haproxy: `
    frontend push
      bind :443 ssl crt /etc/haproxy/push.example.pem alpn h2,http/1.1
      default_backend comet
    backend comet
      server comet 127.0.0.1:8000`,
  caddy: 'push.example {\n\treverse_proxy 127.0.0.1:8000 {\n\t}\n}\n',
}

const DOCUMENTED: Readonly<Record<ProxyName, string>> = {
  nginx: documented('nginx.conf'),
  haproxy: documented('haproxy.cfg'),
  caddy: documented('Caddyfile'),
}

function documented(file: string): string {
  return readFileSync(`${import.meta.dir}/../operate/proxies/${file}`, 'utf8')
}

/** Replaces what must be there. */
function replaced(text: string, pairs: readonly (readonly [string | RegExp, string])[]): string {
  return pairs.reduce((whole, [from, to]) => {
    const next = whole.replaceAll(from, () => to)
    if (next === whole) throw new Error(`there is no ${from} in ${whole}`)
    return next
  }, text)
}

interface Place {
  readonly folder: string
  /** Where clients connect, and where the server is. */
  readonly port: number
  readonly serverPort: number
  readonly options: ProxyOptions
}

/** The lines of the site, at a free port, with the certificate of the test. */
function siteOf(name: ProxyName, { folder, port, serverPort, options }: Place): string {
  const { isDocumented = false, hasTls = false, idleSeconds } = options
  const text = replaced((isDocumented ? DOCUMENTED : LEAST)[name], [
    ['127.0.0.1:8000', `127.0.0.1:${serverPort}`],
  ])
  if (name === 'nginx') {
    const read = idleSeconds === undefined ? '' : `proxy_read_timeout ${idleSeconds}s;`
    return replaced(text, [
      ['listen 443 ssl http2', `listen 127.0.0.1:${port}${hasTls ? ' ssl http2' : ''}`],
      ['/etc/ssl/push.example', `${folder}/push`],
      ['location / {', `${read} location / {`],
    ])
  }
  if (name === 'haproxy') {
    const tls = `ssl crt ${folder}/both.pem alpn h2,http/1.1`
    return replaced(text, [[/bind :443 .*/g, `bind 127.0.0.1:${port} ${hasTls ? tls : ''}`]])
  }
  const address = hasTls
    ? `https://127.0.0.1:${port}, https://localhost:${port}`
    : `http://:${port}`
  const tls = hasTls ? `tls ${folder}/push.pem ${folder}/push.key` : ''
  const passed = `reverse_proxy 127.0.0.1:${serverPort} {`
  const read = `${passed}\n\t\ttransport http {\n\t\t\tread_timeout ${idleSeconds}s\n\t\t}`
  return replaced(text, [
    ['push.example {', `${address} {\n\tbind 127.0.0.1\n\t${tls}`],
    ...(idleSeconds === undefined ? [] : [[passed, read] as const]),
  ])
}

/** The file of the package with that site, whose other places are in the folder. */
function configurationOf(name: ProxyName, place: Place): string {
  const { folder, options } = place
  const site = siteOf(name, place)
  if (name === 'caddy') {
    // As the package runs it, but for the port of its administration.
    return `{\n\tadmin unix/${folder}/admin.sock\n\tauto_https off\n}\n${site}`
  }
  const text = readFileSync(PACKAGED[name], 'utf8')
  if (name === 'nginx') {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const paths = temporary.map((each) => `${each}_temp_path ${folder}/${each};`).join(' ')
    return replaced(text, [
      ['/run/nginx.pid', `${folder}/nginx.pid`],
      ['/var/log/nginx', folder],
      [/^include \/etc\/nginx\/modules-enabled\/.*$/gm, 'daemon off;'],
      [/^user .*$/gm, 'user root;'],
      ['include /etc/nginx/conf.d/*.conf;', paths],
      [/include \/etc\/nginx\/sites-enabled\/.*/g, `include ${folder}/site.conf;`],
    ])
  }
  const { idleSeconds } = options
  const timeouts = (['client', 'server'] as const).map(
    (side) => [new RegExp(`timeout ${side} .*`, 'g'), `timeout ${side} ${idleSeconds}s`] as const,
  )
  const own = replaced(text, [
    [/^\s*(log|chroot|stats|user|group|daemon)\b.*$/gm, ''],
    ...(idleSeconds === undefined ? [] : timeouts),
  ])
  return `${own}\n${site}\n`
}

/** What runs it in the foreground, as its unit of systemd does. */
function commandOf(name: ProxyName, folder: string): string[] {
  const program = String(PROGRAMS[name])
  if (name === 'nginx') return [program, '-e', 'stderr', '-p', folder, '-c', `${folder}/proxy.conf`]
  if (name === 'haproxy') return [program, '-W', '-db', '-f', `${folder}/proxy.conf`]
  return [program, 'run', '--config', `${folder}/proxy.conf`, '--adapter', 'caddyfile']
}

/** A proxy that listens. */
export class ReverseProxy implements AsyncDisposable {
  readonly name: ProxyName
  readonly port: number
  readonly url: string
  readonly #folder: Folder
  readonly #process: ChildProcess

  /** Starts one in front of a server, or of a port. */
  static async open(
    name: ProxyName,
    server: Pick<CometServer, 'publicPort'>,
    options: ProxyOptions = {},
  ): Promise<ReverseProxy> {
    await using cleanup = new AsyncDisposableStack()
    const folder = cleanup.use(await makeFolder())
    const { path } = folder
    const { cert, key } = await makeCertificate(path, 'push')
    const both = readFileSync(cert, 'utf8') + readFileSync(key, 'utf8')
    await Bun.write(`${path}/both.pem`, both)
    const port = freePort()
    const place = { folder: path, port, serverPort: server.publicPort, options }
    if (name === 'nginx') await Bun.write(`${path}/site.conf`, siteOf(name, place))
    await Bun.write(`${path}/proxy.conf`, configurationOf(name, place))
    const env = { HOME: path, XDG_DATA_HOME: path, XDG_CONFIG_HOME: path }
    const child = new ChildProcess(commandOf(name, path), { env, killsDescendants: true })
    cleanup.use(child)
    const proxy = new ReverseProxy(name, port, options, folder, child)
    await proxy.#listens()
    cleanup.move()
    return proxy
  }

  private constructor(
    name: ProxyName,
    port: number,
    { hasTls = false }: ProxyOptions,
    folder: Folder,
    child: ChildProcess,
  ) {
    this.name = name
    this.port = port
    this.url = `${hasTls ? 'https' : 'http'}://localhost:${port}`
    this.#folder = folder
    this.#process = child
  }

  /** For clients that take the proxy for a server. */
  get publicPort(): number {
    return this.port
  }

  /** As `systemctl reload` does it. */
  async reload(): Promise<void> {
    if (this.name === 'nginx') this.#process.kill('SIGHUP')
    else if (this.name === 'haproxy') this.#process.kill('SIGUSR2')
    else {
      const path = this.#folder.path
      const config = `${path}/proxy.conf`
      const args = ['--config', config, '--adapter', 'caddyfile', '--force']
      const address = ['--address', `unix/${path}/admin.sock`]
      await Bun.$`${PROGRAMS.caddy} reload ${args} ${address}`.quiet()
    }
  }

  async #listens(): Promise<void> {
    const look = async () => {
      if (this.#process.hasExited) throw this.#process.error('exited')
      try {
        const socket = await Bun.connect({
          ...{ hostname: '127.0.0.1', port: this.port },
          socket: { data: () => undefined },
        })
        socket.end()
        return true
      } catch {
        return false
      }
    }
    await waitFor(`${this.name} to listen`, look)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
    await this.#folder[Symbol.asyncDispose]()
  }
}
