// The part of a log that an Erlang node needs; the server gives it its own.

type Fields = Readonly<Record<string, string | number>>

export interface NodeLog {
  info(event: string, message: string, fields?: Fields): void
  warn(event: string, message: string, fields?: Fields): void
  /** For what may happen many times a second. */
  repeated(event: string, message: string): void
  bug(error: unknown): void
}
