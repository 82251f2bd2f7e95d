// Goal: processor time and memory of the machine are what the kernel says. Method: texts as Linux
// writes them, and the machine's own.

import { expect, test } from 'bun:test'
import { parseMemory, parseProcessorTime, systemFigures } from './system.ts'

test('processor time has niced programs among programs, and interrupts with the kernel', () => {
  const text = 'cpu  1000 200 300 9000 50 40 60 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\nintr 5\n'
  expect(parseProcessorTime(text)).toEqual({ userSeconds: 12, systemSeconds: 4 })
})

test('memory is in bytes, and what is not told is nothing', () => {
  const text = [
    ...['MemTotal:       24689764 kB', 'MemFree:        1 kB', 'MemAvailable:   20000000 kB'],
    ...['Slab:            300 kB', 'KernelStack:     20 kB', 'HugePages_Total:       0', ''],
  ].join('\n')
  expect(parseMemory(text)).toEqual({
    memoryBytes: 24_689_764 * 1024,
    memoryAvailableBytes: 20_000_000 * 1024,
    kernelBytes: 320 * 1024,
  })
})

test.skipIf(process.platform !== 'linux')('this machine tells', () => {
  const figures = systemFigures()
  expect(figures?.userSeconds).toBeGreaterThan(0)
  expect(figures?.memoryBytes).toBeGreaterThan(figures?.memoryAvailableBytes ?? Infinity)
})
