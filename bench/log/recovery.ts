// Recovery: a server that was killed opens its log again, of half a million messages about numbers
// or about names; in a process that has just started, so that compiling what is run is in the time.
// And what memory a log takes in which nothing is.

import { makeFolder } from '../../scripts/support/folder.ts'
import type { Case } from '../harness/case.ts'
import { runLogProgram } from './program.ts'

type Figure = 'numbersMicros' | 'numbersMs' | 'namesMicros' | 'emptyMemoryKib' | 'emptyFileKib'

export const recovery: Case<Figure> = {
  name: 'recovery',
  figures: {
    numbersMicros: { title: 'recovery, a message about a number', unit: 'µs', digits: 3 },
    numbersMs: { title: '  of a full window of 64 MiB', unit: 'ms', digits: 0 },
    namesMicros: { title: 'recovery, a message about a name', unit: 'µs', digits: 3 },
    emptyMemoryKib: {
      title: 'memory of an empty log, without a file',
      unit: 'KiB',
      digits: 0,
      target: { atMost: 2_048 },
    },
    emptyFileKib: { title: '  with a file', unit: 'KiB', digits: 0, target: { atMost: 2_048 } },
  },
  warmsUp: false,
  open: async () => {
    if (process.platform !== 'linux') return { impossible: 'anonymous memory is read from /proc' }
    const folder = await makeFolder()
    await runLogProgram('fill', `${folder.path}/numbers`)
    await runLogProgram('fill-names', `${folder.path}/names`)
    return {
      run: () => run(folder.path),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    }
  },
}

interface Recovered {
  readonly micros: number
  readonly ms: number
}

async function run(folder: string): Promise<Record<Figure, number>> {
  const numbers = await runLogProgram<Recovered>('recover', `${folder}/numbers`)
  const names = await runLogProgram<Recovered>('recover', `${folder}/names`)
  const memory = await runLogProgram<{ kib: number }>('empty')
  const file = await runLogProgram<{ kib: number }>('empty', `${folder}/empty`)
  return {
    numbersMicros: numbers.micros,
    numbersMs: numbers.ms,
    namesMicros: names.micros,
    emptyMemoryKib: memory.kib,
    emptyFileKib: file.kib,
  }
}
