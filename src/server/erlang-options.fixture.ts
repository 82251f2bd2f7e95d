// The options of the Erlang node as a test gives them, in an environment and a home folder of the
// test's own, which are gone with it.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveOptions, valuesOf } from '../cli/option-sources.ts'
import type { Result } from '../core/result.ts'
import { parseNodeName } from '../erlang/node-name.ts'
import type { ErlangConfig, ErlangNodeName } from '../hub/settings.ts'
import { checkErlang, ERLANG_COOKIES, ERLANG_OPTIONS, erlangConfig } from './erlang-options.ts'

export const SECRET = 'topsecretword'

const VARIABLES = ['HOME', 'COMET_ERLANG_COOKIE', 'COMET_ERLANG_COOKIE_FILE', 'ERL_EPMD_PORT']

/** The environment as a test wants it: a home without a cookie, and the variables given. */
export class Environment implements Disposable {
  readonly home = mkdtempSync(join(tmpdir(), 'comet-home-'))
  readonly #before: Record<string, string | undefined> = {}

  constructor(variables: Record<string, string> = {}) {
    for (const name of VARIABLES) {
      this.#before[name] = process.env[name]
      delete process.env[name]
    }
    Object.assign(process.env, { HOME: this.home, ...variables })
  }

  /** Writes a file there; answers its path. */
  file(name: string, text: string | Uint8Array, mode = 0o400): string {
    const path = join(this.home, name)
    writeFileSync(path, text, { mode })
    chmodSync(path, mode)
    return path
  }

  [Symbol.dispose](): void {
    for (const [name, value] of Object.entries(this.#before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    rmSync(this.home, { recursive: true })
  }
}

export function node(text: string): ErlangNodeName {
  const name = parseNodeName(text)
  if (name === undefined) throw new Error(`${text} is no name`)
  return name
}

export type ErlangOptions = Parameters<typeof erlangConfig>[0]

/** As the command does it; options that are left out are not set. */
export function configured(options: Partial<ErlangOptions> = {}): Result<ErlangConfig | null> {
  const values = {
    'erlang-node': null,
    'erlang-name': null,
    'erlang-cookie-file': null,
    'erlang-cookie': null,
    'erlang-listen': null,
    'erlang-tick': 60_000,
    'erlang-required': false,
    ...options,
  }
  const checked = checkErlang(values)
  return checked.ok ? erlangConfig(values) : checked
}

export const NAMED: Partial<ErlangOptions> = { 'erlang-name': node('comet@localhost') }

/** The cookie of a node by command line and environment, or why there is none. */
export function cookieOf(flags: Record<string, string> = {}): string {
  const table = { path: ['serve'], options: ERLANG_OPTIONS, conflicts: [ERLANG_COOKIES] }
  const resolution = resolveOptions(table, {
    ...{ environment: process.env, file: null },
    flags: { 'erlang-name': 'comet@localhost', ...flags },
  })
  if (!resolution.ok) return resolution.why.join()
  const result = erlangConfig(valuesOf<typeof ERLANG_OPTIONS>(resolution.value))
  return result.ok ? (result.value?.cookie ?? 'no node') : result.why
}
