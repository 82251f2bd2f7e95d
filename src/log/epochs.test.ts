// Goal: a cursor counts on every node alike, also after forks, and one of a part that was lost
// counts nowhere. Method: histories of a log, and tables of cursors.

import { expect, test } from 'bun:test'
import { busLimits } from '../core/bus-limits.ts'
import { Epochs } from './epochs.ts'

function at(epoch: number, number: number) {
  return { epoch, number }
}

/** The numbers up to 12 that count in an epoch. */
function numbersOf(epochs: Epochs, epoch: number): number[] {
  return Array.from({ length: 13 }, (_, number) => number).filter((number) =>
    epochs.has(at(epoch, number)),
  )
}

test('cursors of one epoch count from where the log begins to its last entry', () => {
  const epochs = new Epochs(at(5, 2))
  epochs.advance(4)
  expect(numbersOf(epochs, 5)).toEqual([2, 3, 4])
  expect(numbersOf(epochs, 6)).toEqual([])
  expect(epochs.last).toEqual(at(5, 4))
})

test('where a new epoch goes on behind the last entry, all cursors still count', () => {
  const epochs = new Epochs(at(5, 0))
  epochs.advance(3)
  epochs.fork(at(5, 3), 9)
  epochs.advance(5)
  expect(numbersOf(epochs, 5)).toEqual([0, 1, 2, 3])
  expect(numbersOf(epochs, 9)).toEqual([3, 4, 5])
})

test('where a new epoch goes on further back, those of the lost part do not', () => {
  const epochs = new Epochs(at(5, 0))
  epochs.advance(6)
  epochs.fork(at(5, 3), 9)
  epochs.advance(8)
  expect(numbersOf(epochs, 5)).toEqual([0, 1, 2, 3])
})

test('of the lost part, those count again that were added again in the same place', () => {
  const epochs = new Epochs(at(5, 0))
  epochs.advance(6)
  epochs.fork(at(5, 3), 9)
  epochs.advance(5)
  epochs.extend(at(5, 4), 2)
  expect(numbersOf(epochs, 5)).toEqual([0, 1, 2, 3, 4, 5])
  // In another place: something else came in between.
  epochs.advance(7)
  epochs.extend(at(5, 7), 1)
  expect(numbersOf(epochs, 5)).toEqual([0, 1, 2, 3, 4, 5])
})

test('a fork behind another one cuts both', () => {
  const epochs = new Epochs(at(5, 0))
  epochs.advance(4)
  epochs.fork(at(5, 4), 9)
  epochs.advance(8)
  epochs.fork(at(5, 2), 11)
  epochs.advance(3)
  expect(numbersOf(epochs, 5)).toEqual([0, 1, 2])
  expect(numbersOf(epochs, 9)).toEqual([])
  expect(numbersOf(epochs, 11)).toEqual([2, 3])
})

test('after a restart only what comes counts', () => {
  const epochs = new Epochs(at(5, 0))
  epochs.advance(4)
  epochs.restart(at(9, 7))
  expect(numbersOf(epochs, 5)).toEqual([])
  expect(numbersOf(epochs, 9)).toEqual([7])
})

test('of more epochs than are kept, the oldest is forgotten', () => {
  const epochs = new Epochs(at(1, 0))
  for (let epoch = 2; epoch < busLimits.epochsMax + 2; epoch++) epochs.fork(at(epoch - 1, 0), epoch)
  expect(epochs.size).toBe(busLimits.epochsMax)
  expect(epochs.has(at(1, 0))).toBe(false)
  expect(epochs.has(at(2, 0))).toBe(true)
})
