// Standard output, and whether what is written there arrives. What does not ends the command: see
// program.ts.

/** Output that could not be written, to a file or to standard output. */
export class OutputError extends Error {
  /** The reader of standard output has left. */
  readonly isReaderGone: boolean

  constructor(place: string, code: string, isReaderGone = false) {
    super(`${place} could not be written (${code})`)
    this.isReaderGone = isReaderGone
  }
}

export class StandardOutput {
  /** All texts so far; rejects with the first error. */
  #texts: Promise<unknown> = Promise.resolve()
  readonly #failed = Promise.withResolvers<never>()
  #isOpen = false

  /** Rejects when a text cannot be written, and never settles otherwise. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Settles when all texts so far are written; rejects if one of them could not be. */
  async written(): Promise<void> {
    await this.#texts
  }

  text(text: string): void {
    const written = this.#write(text.endsWith('\n') ? text : `${text}\n`)
    written.catch((error: unknown) => this.#failed.reject(error))
    this.#texts = Promise.all([this.#texts, written])
    // Those who wait for it, or for `failed`, look at it.
    this.#texts.catch(() => undefined)
  }

  /** Settles when the bytes are free again; rejects if they could not be written. */
  bytes(data: Uint8Array): Promise<void> {
    return this.#write(data)
  }

  #write(data: string | Uint8Array): Promise<void> {
    const { stdout } = process
    // Each write is told of its own error; without a listener it would end the process.
    if (!this.#isOpen) stdout.on('error', () => undefined)
    this.#isOpen = true
    return new Promise((resolve, reject) => {
      stdout.write(data, (error?: (Error & { code?: string }) | null) => {
        if (error === undefined || error === null) return resolve()
        const { code = error.message } = error
        reject(new OutputError('standard output', code, code === 'EPIPE'))
      })
    })
  }
}
