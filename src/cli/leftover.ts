// What must not be left behind when a command ends before its work is done, however it ends.

/** Signals that end the process if nobody waits for them. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** Removes something if the process ends before the returned function is called. */
export function removeAtEnd(remove: () => void): () => void {
  const forget = (): void => {
    process.off('exit', remove)
    for (const signal of ENDING) process.off(signal, onEnding)
  }
  const onEnding = (signal: NodeJS.Signals): void => {
    // Somebody else waits for it, and the command goes on.
    if (process.listenerCount(signal) > 1) return
    remove()
    forget()
    process.kill(process.pid, signal)
  }
  process.on('exit', remove)
  for (const signal of ENDING) process.prependListener(signal, onEnding)
  return forget
}
