// Goal: a terminal is told from a pipe, a file and a descriptor that is closed.

import { expect, test } from 'bun:test'
import { closeSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'
import { isTerminal } from './terminal.ts'

test('a descriptor is a terminal where Node says so', async () => {
  const files = ['/dev/null', '/dev/ptmx', import.meta.path].map((path) => openSync(path, 'r'))
  const closed = openSync('/dev/null', 'r')
  closeSync(closed)
  for (const descriptor of [0, 1, 2, ...files, closed]) {
    expect([descriptor, await isTerminal(descriptor)]).toEqual([descriptor, isatty(descriptor)])
  }
  expect(await Promise.all(files.map(isTerminal))).toEqual([false, true, false])
  for (const file of files) closeSync(file)
})
