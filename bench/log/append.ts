// Appending to the log: messages of 100 bytes about random subjects of a million, singly and in
// batches, in memory and in a file. CPU time is that of the whole process, user's and system's,
// once the window is full: each message takes the room of an old one.

import { makeFolder } from '../../scripts/support/folder.ts'
import type { Case } from '../harness/case.ts'
import type { AppendFigures } from './log-program.ts'
import { runLogProgram } from './program.ts'

type Figure =
  | `${'memory' | 'file'}${'Single' | 'Batch16' | 'Batch64'}`
  | 'tableBytes'
  | 'processBytes'

export const append: Case<Figure> = {
  name: 'append',
  figures: {
    memorySingle: spec('in memory, one message at a time', 0.35),
    memoryBatch16: spec('  in batches of 16', 0.15),
    memoryBatch64: spec('  in batches of 64', 0.15),
    fileSingle: spec('in a file, one message at a time', 0.35),
    fileBatch16: spec('  in batches of 16'),
    fileBatch64: spec('  in batches of 64'),
    tableBytes: {
      title: 'memory of a message above its body',
      unit: 'bytes',
      digits: 1,
      target: { atMost: 64 },
    },
    processBytes: { title: '  as the process has it', unit: 'bytes', digits: 1 },
  },
  warmsUp: false,
  open: async () => {
    if (process.platform !== 'linux') return { impossible: 'anonymous memory is read from /proc' }
    const folder = await makeFolder()
    return {
      run: () => run(`${folder.path}/log`),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

function spec(title: string, atMost?: number) {
  const figure = { title, unit: 'µs', digits: 3 }
  return atMost === undefined ? figure : { ...figure, target: { atMost } }
}

async function run(path: string): Promise<Record<Figure, number>> {
  const memory = await runLogProgram<AppendFigures>('append')
  await Bun.file(path)
    .delete()
    .catch(() => undefined)
  const file = await runLogProgram<AppendFigures>('append', path)
  return {
    memorySingle: memory.singleMicros,
    memoryBatch16: memory.batch16Micros,
    memoryBatch64: memory.batch64Micros,
    fileSingle: file.singleMicros,
    fileBatch16: file.batch16Micros,
    fileBatch64: file.batch64Micros,
    tableBytes: memory.tableBytes,
    processBytes: memory.processBytes,
  }
}
