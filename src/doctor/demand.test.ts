// Goal: streams need what server and flood really take. Method: what is called enough beside what
// server and flood split their streams into, and the runs whose figures the manual has.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { workerLimits } from '../core/limits.ts'
import { plainBehaviour, sharesOf } from '../flood/plan.ts'
import { ENDS, filesFor, memoryFor, processesFor } from './demand.ts'
import { demand } from './machine.fixture.ts'

const connections = fc.integer({ min: 1, max: 20_000_000 })
const end = fc.constantFrom(...ENDS)

/** Processes of a server alone. */
function serverProcesses(connections: number, openFiles: number): number {
  return processesFor(demand(connections), openFiles)
}

describe('processes of the server', () => {
  test('are one as long as its open files last, but for a reserve', () => {
    expect(serverProcesses(19_000, 20_000)).toBe(1)
    expect(serverProcesses(19_001, 20_000)).toBe(2)
  })

  test('are infinitely many where the reserve is all there is', () => {
    expect(serverProcesses(1, 64)).toBe(Infinity)
    expect(serverProcesses(1, 0)).toBe(Infinity)
    expect(serverProcesses(1, 65)).toBe(1)
  })
})

describe('open files', () => {
  test('that are called enough are enough, and one less is not', () => {
    fc.assert(
      fc.property(connections, (connections) => {
        const least = filesFor(demand(connections))
        const possible = (openFiles: number) =>
          Math.min(workerLimits.countMax, Math.floor((openFiles - 64) / 2))
        const isEnough = (openFiles: number) => {
          const workers = serverProcesses(connections, openFiles)
          return workers === 1 || workers <= possible(openFiles)
        }
        expect([isEnough(least), isEnough(least - 1)]).toEqual([true, false])
      }),
    )
  })

  test('that are called enough for a flood are enough', () => {
    fc.assert(
      fc.property(connections, (connections) => {
        const least = filesFor(demand(connections, { end: 'client' }))
        const target = { host: '', address: '', port: 1, pathTemplate: '' }
        const shares = sharesOf(
          {
            ...{
              behaviour: plainBehaviour({ protocol: 'http', ...target }),
              connections,
              firstId: 1,
              ratePerSecond: null,
            },
            ...{
              pendingMax: 1,
              sources: [],
              durationMs: null,
              storm: null,
              holdMs: null,
              inOwnProcess: false,
            },
          },
          { openFilesLimit: least, portOffset: 0, onDescriptors: true },
        )
        expect(shares.ok).toBe(true)
      }),
    )
  })

  test('are never less for more streams, at both ends, or in fewer processes', () => {
    fc.assert(
      fc.property(connections, end, fc.integer({ min: 1, max: 64 }), (connections, end, cores) => {
        const files = filesFor(demand(connections, { end }))
        expect(filesFor(demand(connections + 1, { end }))).toBeGreaterThanOrEqual(files)
        expect(filesFor(demand(connections, { end: 'both' }))).toBeGreaterThanOrEqual(files)
        const few = filesFor(demand(connections, { end }), cores)
        expect(few).toBeGreaterThanOrEqual(files)
        const ends = end === 'both' ? 2 : 1
        expect(processesFor(demand(connections, { end }), few)).toBeLessThanOrEqual(ends * cores)
      }),
    )
  })
})

describe('memory', () => {
  const OPEN_FILES = 20_000

  // What was taken from the machine, both ends and the kernel; what is asked for leaves some to
  // spare.
  test.each([
    [100_000, 12_455, 20_000],
    [1_000_000, 12_043, 14_500],
  ])('of %p streams is what was measured and not much more', (connections, measured, most) => {
    const bytes = memoryFor(demand(connections, { end: 'both' }), OPEN_FILES) / connections
    expect(bytes).toBeGreaterThan(measured)
    expect(bytes).toBeLessThan(most)
  })

  test('of one end is less than that of both', () => {
    const of = (end: (typeof ENDS)[number]) => memoryFor(demand(1_000_000, { end }), OPEN_FILES)
    expect(of('client')).toBeLessThan(of('server'))
    expect(of('server') + of('client')).toBeLessThanOrEqual(of('both') + 1)
  })

  test('is less in fewer processes', () => {
    const of = (openFiles: number) => memoryFor(demand(1_000_000), openFiles)
    expect(of(1_048_576)).toBeLessThan(of(20_000))
    expect(of(20_000)).toBeLessThan(of(2_000))
  })
})
