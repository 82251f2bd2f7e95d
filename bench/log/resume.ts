// Resuming: readers that follow so many random subjects of a million and are so many seconds
// behind, at 16,666 messages a second. CPU time of what the log does: it finds what a reader has
// missed, and each message is read; nothing is sent.

import { type Case, nothingToClose } from '../harness/case.ts'
import type { ResumeFigures } from './log-program.ts'
import { runLogProgram } from './program.ts'

type Figure = keyof ResumeFigures

export const resume: Case<Figure> = {
  name: 'resume',
  figures: {
    f15s1: spec('follows 15, 1 s behind', 1),
    f15s5: spec('  5 s behind', 1, 10),
    f15s26: spec('  26 s behind', 1),
    f100s1: spec('follows 100, 1 s behind', 1),
    f100s5: spec('  5 s behind', 1),
    f100s26: spec('  26 s behind', 1),
    f5000s1: spec('follows 5,000, 1 s behind', 0),
    f5000s5: spec('  5 s behind', 0),
    f5000s26: spec('  26 s behind, which is too much', 0),
  },
  warmsUp: false,
  open: async () => ({ run: () => runLogProgram<ResumeFigures>('resume'), ...nothingToClose }),
}

function spec(title: string, digits: number, atMost?: number) {
  const figure = { title, unit: 'µs', digits }
  return atMost === undefined ? figure : { ...figure, target: { atMost } }
}
