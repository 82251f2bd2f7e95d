// What is wrong with a command's options, as a sentence: `parseArgs` of Node throws it, with a stack
// that helps nobody who mistyped a word.

/** What `read` answers, or the message of what it throws. */
export function orWhyNot<Options>(read: () => Options | string): Options | string {
  try {
    return read()
  } catch (error) {
    return (error as Error).message
  }
}
