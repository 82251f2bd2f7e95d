// A certificate and its key, as every process that speaks TLS is given them. Where they lie, and whether
// they belong together, is not known here.

/** Both as PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}
