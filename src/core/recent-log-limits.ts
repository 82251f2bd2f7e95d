// Every bound of the lines of the log that are kept in memory, with its unit and the reason for its
// value; those of the rest are in limits.ts.

export const recentLogLimits = {
  /** Lines that are kept: an hour of a busy server, in 2.6 million characters at most. */
  linesMax: 500,
  /** Characters of a message that are kept, as a stack trace has; and of the text of a field. */
  messageLengthMax: 2_000,
  fieldLengthMax: 200,
  /** Fields of a line that are kept: no event of the code has as many. */
  fieldsMax: 16,
  /** Lines of one answer, unless another number is asked for. */
  pageLinesDefault: 100,
  /** New lines of a worker in its report of one second: more are in its own output alone. */
  workerLinesMax: 20,
  /** Milliseconds between two times that the dashboard asks for new lines. */
  askEveryMs: 2_000,
} as const
