// The pages of the manual: a closed list, in the order in which they are listed. A page is an
// import, and a row here. Loaded only by those who show pages.

import { nearestTo } from '../core/nearest.ts'
import browser from './browser.md' with { type: 'text' }
import capacity from './capacity.md' with { type: 'text' }
import configuration from './configuration.md' with { type: 'text' }
import container from './container.md' with { type: 'text' }
import controlApi from './control-api.md' with { type: 'text' }
import doctor from './doctor.md' with { type: 'text' }
import erlang from './erlang.md' with { type: 'text' }
import formats from './formats.md' with { type: 'text' }
import friends from './friends.md' with { type: 'text' }
import generator from './generator.md' with { type: 'text' }
import limits from './limits.md' with { type: 'text' }
import loadTesting from './load-testing.md' with { type: 'text' }
import measured from './measured.md' with { type: 'text' }
import metrics from './metrics.md' with { type: 'text' }
import million from './million.md' with { type: 'text' }
import monitoring from './monitoring.md' with { type: 'text' }
import presence from './presence.md' with { type: 'text' }
import proxies from './proxies.md' with { type: 'text' }
import publishing from './publishing.md' with { type: 'text' }
import resume from './resume.md' with { type: 'text' }
import security from './security.md' with { type: 'text' }
import service from './service.md' with { type: 'text' }
import severalMachines from './several-machines.md' with { type: 'text' }
import shell from './shell.md' with { type: 'text' }
import streams from './streams.md' with { type: 'text' }
import subscriptions from './subscriptions.md' with { type: 'text' }
import tokens from './tokens.md' with { type: 'text' }
import upgrade from './upgrade.md' with { type: 'text' }
import workers from './workers.md' with { type: 'text' }

export interface ManualPage {
  /** As in `comet help NAME`, and as its file is called. */
  readonly name: string
  /** Its first line. */
  readonly title: string
  readonly summary: string
  /** The whole page, in Markdown. */
  readonly text: string
}

export const PAGES: readonly ManualPage[] = [
  page('streams', streams, 'open connections, users and subjects'),
  page('formats', formats, 'lines of JSON, server-sent events, WebSocket, polls'),
  page('resume', resume, 'how a client gets what it missed'),
  page('browser', browser, 'the client library for pages'),
  page('shell', shell, 'listening and publishing from a shell'),
  page('publishing', publishing, 'messages, receipts, batches and keys'),
  page('subscriptions', subscriptions, 'who follows whom'),
  page('presence', presence, 'who is connected, and the feed of connections'),
  page('tokens', tokens, 'who may read which stream'),
  page('security', security, 'who can do what, and what is checked'),
  page('control-api', controlApi, 'requests of the control port'),
  page('configuration', configuration, 'options, environment and configuration file'),
  page('limits', limits, 'what clients and streams are limited to'),
  page('proxies', proxies, 'nginx, HAProxy and Caddy in front'),
  page('container', container, 'the image, and Docker'),
  page('service', service, 'a unit of systemd'),
  page('upgrade', upgrade, 'upgrades and backups'),
  page('monitoring', monitoring, 'health, dashboard, alerts and Grafana'),
  page('metrics', metrics, 'every metric, for Prometheus'),
  page('workers', workers, 'several processes on one machine'),
  page('several-machines', severalMachines, 'servers that share one log in Redis'),
  page('erlang', erlang, 'a node among Erlang nodes'),
  page('doctor', doctor, 'how many streams a machine holds'),
  page('capacity', capacity, 'memory and cores for a number of streams'),
  page('load-testing', loadTesting, 'a client with very many streams'),
  page('generator', generator, 'messages at a steady rate'),
  page('friends', friends, 'data sets of who follows whom'),
  page('measured', measured, 'figures, and how to repeat them'),
  page('million', million, 'a million streams on one machine'),
]

/** Undefined if there is none of that name. */
export function pageNamed(name: string): ManualPage | undefined {
  return PAGES.find((each) => each.name === name)
}

/** The name that was meant, of a page or of these others. */
export function nearestPage(name: string, others: readonly string[] = []): string | undefined {
  return nearestTo(name, [...PAGES.map((each) => each.name), ...others])
}

function page(name: string, text: string, summary: string): ManualPage {
  const [, title] = /^# (.+)\n/.exec(text) ?? []
  if (title === undefined) throw new Error(`the page ${name} does not begin with a title`)
  return { name, title, summary, text }
}
