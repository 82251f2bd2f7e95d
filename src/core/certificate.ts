// A TLS certificate and its key.

/** Both in PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}
