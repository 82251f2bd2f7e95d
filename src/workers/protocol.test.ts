// Goal: a frame that a worker reads is the one that its parent wrote. Method: records in memory.

import { expect, test } from 'bun:test'
import { type Frame, newFrame, newGapFrame } from '../hub/frame.ts'
import { readFrame, writeFrame } from './protocol.ts'
import { HEAD_BYTES, RecordWriter } from './records.ts'

function readBack(frame: Frame): Frame {
  const out = new RecordWriter()
  out.begin(1)
  writeFrame(out, frame)
  const bytes = out.view().slice(HEAD_BYTES)
  return readFrame(bytes, new DataView(bytes.buffer), 0)
}

test.each([
  newFrame(Buffer.from('a text'), true, 7),
  newFrame(Buffer.from('{}'), false, 2 ** 31 + 5, 'event', true, 'alice'),
  newFrame(Buffer.from('ü'), false, 0),
])('a message is read as it was written', (frame) => {
  frame.epoch = 2 ** 40 + 3
  frame.number = 2 ** 33 + 9
  expect(readBack(frame)).toEqual({ ...frame, bytes: new Uint8Array(frame.bytes) })
})

test('a gap is read as it was written', () => {
  const gap = newGapFrame({ epoch: 2 ** 41, number: 2 ** 35 }, { epoch: 2 ** 42, number: 9 })
  expect(readBack(gap)).toEqual(gap)
})
