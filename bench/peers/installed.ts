// Looks what of the other servers is installed, and in which versions. It installs nothing.

import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'
import { openFilesLimit } from '../../src/os/descriptors.ts'
import { readVersions, soon, type Versions } from '../harness/machine.ts'
import type { Found } from './requirements.ts'

/** Where Debian keeps servers; not in everybody's PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

const NCHAN = 'ngx_nchan_module.so'

export async function lookForPeers(): Promise<Found> {
  const cc = Bun.which('cc')
  const path = [process.env['PATH'] ?? '', ...SERVER_FOLDERS].join(delimiter)
  const nginx = Bun.which('nginx', { PATH: path })
  return {
    isLinux: process.platform === 'linux',
    cc,
    hasLibevent: cc !== null && (await hasHeader(cc, 'event2/http.h')),
    nginx,
    nchan: nginx === null ? null : await nchanOf(nginx),
    openFiles: openFilesLimit(),
  }
}

async function hasHeader(cc: string, header: string): Promise<boolean> {
  const source = new Response(`#include <${header}>\n`)
  const trying = Bun.$`${cc} -E -x c -o /dev/null - < ${source}`.nothrow().quiet()
  const tried = await soon('cc', trying)
  return tried.exitCode === 0
}

/** nginx was built with the folder of its modules. */
async function nchanOf(nginx: string): Promise<string | null> {
  const built = await soon('nginx', Bun.$`${nginx} -V`.nothrow().quiet())
  const folder = /--modules-path=(\S+)/.exec(built.stderr.toString())?.[1]
  const file = `${folder}/${NCHAN}`
  return folder !== undefined && existsSync(file) ? file : null
}

export interface PeerVersions extends Versions {
  /** As Debian numbers them; null where its package is not installed. */
  readonly nginx: string | null
  readonly nchan: string | null
  readonly libevent: string | null
}

export async function readPeerVersions(): Promise<PeerVersions> {
  return {
    ...(await readVersions()),
    nginx: await packageVersion('nginx'),
    nchan: await packageVersion('libnginx-mod-nchan'),
    libevent: await packageVersion('libevent-dev'),
  }
}

async function packageVersion(name: string): Promise<string | null> {
  if (Bun.which('dpkg-query') === null) return null
  const asked = await soon('dpkg-query', Bun.$`dpkg-query -W ${name}`.nothrow().quiet())
  // The name, a tab, and the version, which is empty if it was there once.
  const version = asked.stdout.toString().split('\t')[1]?.trim() ?? ''
  return asked.exitCode === 0 && version !== '' ? version : null
}
