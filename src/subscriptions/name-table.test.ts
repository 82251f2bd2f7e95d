// Goal: each name has one handle as long as it is used, no two names have the same one, and what is
// used no more is freed, but not at once. Method: examples, and a run against a model.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isHandle, NameTable, NOBODY } from './name-table.ts'

function handleOf(names: NameTable, name: string): number {
  const handle = names.intern(name)
  if (handle === null) throw new Error('the table is full')
  return handle
}

/** Passes over the whole table, in parts. */
function sweep(
  names: NameTable,
  isUsed: (handle: number) => boolean,
  onFree?: (handle: number) => void,
): void {
  for (let from = 1; from !== 0; ) from = names.sweep(from, 7, isUsed, onFree)
}

/** What is free may be used again. */
function rest(names: NameTable): void {
  names.beginRest()
  names.endRest()
}

test('a name has one handle, above all numbers, and a handle its name', () => {
  const names = new NameTable({ seed: 1 })
  const alice = handleOf(names, 'alice')
  const bob = handleOf(names, 'bob')
  expect([isHandle(alice), isHandle(NOBODY), alice === bob]).toEqual([true, false, false])
  expect([handleOf(names, 'alice'), names.find('bob'), names.find('carol')]).toEqual([
    alice,
    bob,
    NOBODY,
  ])
  expect([names.nameOf(alice), names.nameOf(bob), names.size]).toEqual(['alice', 'bob', 2])
})

test('the names that the database does not have are those that were interned', () => {
  const names = new NameTable({ seed: 1 })
  expect(names.unkept()).toHaveLength(0)
  names.restore(NOBODY + 3, 'old')
  const handles = ['a', 'b', 'c'].map((name) => handleOf(names, name))
  expect([...names.unkept()]).toEqual([NOBODY + 1, NOBODY + 2, NOBODY + 4])
  names.keep(handles[1] ?? 0)
  sweep(names, () => false)
  expect([...names.unkept()]).toEqual([NOBODY + 1, NOBODY + 4])
  sweep(names, () => false)
  expect(names.unkept()).toHaveLength(0)
})

test('a hundred thousand names take less than 60 bytes each', () => {
  const names = new NameTable({ seed: 2 })
  const handles = Array.from({ length: 100_000 }, (_, at) => handleOf(names, `user-${at}`))
  expect(new Set(handles).size).toBe(100_000)
  expect(names.memoryBytes / 100_000).toBeLessThan(60)
  for (let at = 0; at < 100_000; at += 997) {
    expect(names.nameOf(handles[at] ?? 0)).toBe(`user-${at}`)
    expect(names.find(`user-${at}`)).toBe(handles[at] ?? 0)
  }
})

test('a full table gives no handle, and still finds what it has', () => {
  const names = new NameTable({ seed: 3, namesMax: 2 })
  const alice = handleOf(names, 'alice')
  handleOf(names, 'bob')
  expect([names.intern('carol'), names.find('carol')]).toEqual([null, NOBODY])
  expect(handleOf(names, 'alice')).toBe(alice)
})

describe('a name that is used no more', () => {
  test('is freed by the second pass', () => {
    const names = new NameTable({ seed: 4 })
    const [alice, bob] = [handleOf(names, 'alice'), handleOf(names, 'bob')]
    const isBob = (handle: number) => handle === bob
    sweep(names, isBob)
    expect([names.find('alice'), names.size]).toEqual([alice, 2])
    sweep(names, isBob)
    expect([names.find('alice'), names.find('bob'), names.size]).toEqual([NOBODY, bob, 1])
  })

  test('stays if it is interned between the two', () => {
    const names = new NameTable({ seed: 5 })
    const alice = handleOf(names, 'alice')
    for (let times = 0; times < 3; times++) {
      sweep(names, () => false)
      expect(handleOf(names, 'alice')).toBe(alice)
    }
  })

  test('stays if it is used again by the second', () => {
    const names = new NameTable({ seed: 6 })
    const alice = handleOf(names, 'alice')
    sweep(names, () => false)
    sweep(names, () => true)
    sweep(names, () => false)
    expect(names.find('alice')).toBe(alice)
  })

  test('leaves its handle to another, the longest free one first', () => {
    const names = new NameTable({ seed: 7 })
    const [one, two] = [handleOf(names, 'one'), handleOf(names, 'two')]
    sweep(names, (handle) => handle === two)
    sweep(names, (handle) => handle === two)
    sweep(names, () => false)
    rest(names)
    sweep(names, () => false)
    rest(names)
    expect([handleOf(names, 'three'), handleOf(names, 'four')]).toEqual([one, two])
    expect([names.nameOf(one), names.nameOf(two)]).toEqual(['three', 'four'])
  })

  test('leaves its handle to no other before that has rested', () => {
    const names = new NameTable({ seed: 10, namesMax: 3 })
    const [one, two] = [handleOf(names, 'one'), handleOf(names, 'two')]
    for (let times = 0; times < 2; times++) sweep(names, (handle) => handle === two)
    names.beginRest()
    for (let times = 0; times < 2; times++) sweep(names, () => false)
    handleOf(names, 'three')
    // Of three handles one is in use, and two rest.
    expect([names.size, names.intern('four')]).toEqual([1, null])
    names.endRest()
    expect([names.intern('four'), names.intern('five')]).toEqual([one, null])
    rest(names)
    expect(names.intern('five')).toBe(two)
  })

  test('is told once, while its handle still stands for it', () => {
    const names = new NameTable({ seed: 11 })
    const [alice, bob] = [handleOf(names, 'alice'), handleOf(names, 'bob')]
    names.keep(handleOf(names, 'kept'))
    const freed: [number, string, number][] = []
    const pass = () => {
      const isBob = (handle: number) => handle === bob
      sweep(names, isBob, (handle) => {
        freed.push([handle, names.nameOf(handle), names.find('alice')])
      })
    }
    pass()
    expect(freed).toEqual([])
    pass()
    pass()
    expect(freed).toEqual([[alice, 'alice', alice]])
    expect(names.find('alice')).toBe(NOBODY)
    // Its handle may be another name's afterwards, and is told again.
    rest(names)
    expect(handleOf(names, 'carol')).toBe(alice)
    pass()
    pass()
    expect(freed.map(([, name]) => name)).toEqual(['alice', 'carol'])
  })

  test('stays if what is told of it fails', () => {
    const names = new NameTable({ seed: 12 })
    const alice = handleOf(names, 'alice')
    const unused = () => false
    sweep(names, unused)
    const fail = () => {
      throw new Error('not noted')
    }
    expect(() => sweep(names, unused, fail)).toThrow('not noted')
    expect(names.find('alice')).toBe(alice)
    sweep(names, unused)
    expect(names.find('alice')).toBe(NOBODY)
  })

  test('gives its memory back', () => {
    const names = new NameTable({ seed: 8 })
    for (let round = 0; round < 20; round++) {
      for (let at = 0; at < 1_000; at++) handleOf(names, `round-${round}-name-${at}`)
      sweep(names, () => false)
      sweep(names, () => false)
      rest(names)
    }
    expect([names.size, names.memoryBytes < 200_000]).toEqual([0, true])
  })
})

test('names that were restored have the handles that they had, and others get those between', () => {
  const names = new NameTable({ seed: 9 })
  names.restore(NOBODY + 3, 'three')
  names.restore(NOBODY + 5, 'five')
  expect([names.find('three'), names.find('five')]).toEqual([NOBODY + 3, NOBODY + 5])
  const others = ['a', 'b', 'c', 'd'].map((name) => handleOf(names, name) - NOBODY)
  expect(others).toEqual([1, 2, 4, 6])
})

test('a name that was restored has no second handle', () => {
  const names = new NameTable({ seed: 9 })
  expect([names.restore(NOBODY + 1, 'one'), names.restore(NOBODY + 3, 'one')]).toEqual([
    true,
    false,
  ])
  expect([names.find('one'), names.size]).toEqual([NOBODY + 1, 1])
  // Nor is the other one's handle taken.
  expect(['two', 'three'].map((name) => handleOf(names, name) - NOBODY)).toEqual([2, 3])
})

test('like a map of names, after any sequence of changes', () => {
  const name = fc.integer({ min: 0, max: 200 }).map((at) => `n${at}`)
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ intern: name }) },
    { weight: 2, arbitrary: fc.record({ unuse: name }) },
    { weight: 1, arbitrary: fc.constant({ sweep: true as const }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer(), (steps, seed) => {
      const names = new NameTable({ seed })
      const used = new Map<string, number>()
      for (const one of steps) {
        if ('intern' in one) used.set(one.intern, handleOf(names, one.intern))
        else if ('unuse' in one) used.delete(one.unuse)
        else {
          sweep(names, (handle) => used.get(names.nameOf(handle)) === handle)
          rest(names)
        }
        for (const [text, handle] of used) {
          expect([names.find(text), names.nameOf(handle)]).toEqual([handle, text])
        }
      }
    }),
    { numRuns: 60 },
  )
})
