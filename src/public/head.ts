// The head of a request to the public port, as transports and admission read it: an interface, so
// that they depend on no server's type of request.

export interface Head {
  readonly method: string
  /**
   * The path without its query and without a `/` at its end; percent-encoded characters are
   * decoded, except `/`.
   */
  readonly path: string
  /** A field's value, by its name in lower case; null if it is not there. */
  header(name: string): string | null
  /** The address of the other end of the connection; null if it is closed already. */
  readonly peer: string | null
}
