// The settings that do not come from options: the keys of clients' tokens at a URL, which are part
// of the settings record like those of files.

import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { type Result, refused, success } from '../core/result.ts'
import type { CurrentSettings, ServerConfig } from '../hub/settings.ts'
import { RemoteKeys } from '../identity/remote-keys.ts'

export interface RemoteSettingsOptions {
  readonly settings: CurrentSettings
  readonly clock: Clock
  readonly log: Log
}

export class RemoteSettings {
  readonly #keys: RemoteKeys | null
  /** Called when the settings have been replaced. */
  #onReplaced: () => void = () => undefined

  /** Has the settings of their URL, or says why not. */
  static async load(options: RemoteSettingsOptions): Promise<Result<RemoteSettings>> {
    const remote = new RemoteSettings(options)
    const loaded = await remote.#keys?.load()
    return loaded?.ok === false ? refused(`the keys at ${loaded.why}`) : success(remote)
  }

  private constructor({ settings, clock, log }: RemoteSettingsOptions) {
    const url = settings.current.identity?.keysUrl ?? null
    const onChange = () => {
      settings.replace(this.addTo(settings.current))
      this.#onReplaced()
    }
    this.#keys = url === null ? null : new RemoteKeys({ url, clock, log, onChange })
  }

  /** The settings with what came from elsewhere last. */
  addTo(config: ServerConfig): ServerConfig {
    const { identity } = config
    if (identity === null || this.#keys === null) return config
    return { ...config, identity: { ...identity, remoteKeys: this.#keys.keys } }
  }

  async refresh(): Promise<void> {
    await this.#keys?.refresh()
  }

  /** @param onReplaced is called from now on when the settings have been replaced */
  watch(onReplaced: () => void): () => void {
    this.#onReplaced = onReplaced
    return this.#keys?.watch() ?? (() => undefined)
  }
}
