// Goal: a worker and its parent read of a stream's beginning what the other has written. Method:
// records written and read back.

import { expect, test } from 'bun:test'
import { newFrame } from '../hub/frame.ts'
import type { StreamBeginning } from '../hub/stream.ts'
import {
  type BeginRequest,
  readBeginning,
  readBeginRequest,
  writeBeginning,
  writeBeginRequest,
} from './beginnings.ts'
import { RecordReader, RecordWriter } from './records.ts'

function readBack<Value>(
  write: (out: RecordWriter) => void,
  read: (record: Parameters<typeof readBeginning>[0]) => Value,
): Value {
  const out = new RecordWriter()
  write(out)
  const values: Value[] = []
  new RecordReader((record) => values.push(read(record))).push(out.waiting())
  expect(values).toHaveLength(1)
  return values[0] as Value
}

const HIGHEST = 2 ** 48 - 1

test.each([
  'live',
  'oldest',
  { after: { epoch: HIGHEST, number: HIGHEST - 1 } },
  { after: { epoch: 1, number: 0 } },
  { last: 1_000 },
  { page: { epoch: HIGHEST, number: 0 } },
  { page: null },
] as const)('a worker asks for a stream from %j', (from) => {
  for (const subjects of [[], [1, 2 ** 32 - 1]]) {
    const ids = { slot: 5, user: 2 ** 32 - 1, sinceUs: 2 ** 51 - 1 }
    const request: BeginRequest = { ...ids, from, subjects, isLate: subjects.length > 0 }
    expect(readBack((out) => writeBeginRequest(out, request), readBeginRequest)).toEqual(request)
  }
})

test.each([null, 'lost', 'too_many', 'unknown'] as const)(
  'a parent answers with the gap %p, and frames',
  (reason) => {
    const frames = [
      newFrame(Buffer.from('one'), true, 2 ** 32 - 1, 'event', false, 'name'),
      newFrame(Buffer.from('{}'), false, 0, null, true),
      newFrame(Buffer.alloc(65_536, 'x'), false, 7),
    ]
    for (const [at, frame] of frames.entries()) {
      Object.assign(frame, { epoch: HIGHEST, number: HIGHEST - at })
    }
    const gap = reason === null ? null : { after: { epoch: 1, number: HIGHEST }, reason }
    const beginning: StreamBeginning = {
      start: { cursor: { epoch: HIGHEST, number: 9 }, gap },
      missed: frames,
      upTo: { epoch: HIGHEST - 2, number: HIGHEST - 1 },
      isAll: reason === null,
    }
    const read = readBack((out) => writeBeginning(out, 5, beginning), readBeginning)
    const plain = (of: StreamBeginning) => ({
      ...of,
      missed: of.missed.map((frame) => ({ ...frame, bytes: [...frame.bytes] })),
    })
    expect(plain(read)).toEqual({ ...plain(beginning), slot: 5 } as never)
  },
)
