// Goal: a block is drawn in place, words above it stay whole, and the cursor comes back.
// Method: a model of a terminal that holds all it was ever written, and random runs against it.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { FakeTerminal } from './terminal.fixture.ts'
import { Block, breaksLines } from './terminal.ts'

function linesOf(name: string, count: number): () => string[] {
  return () => Array.from({ length: count }, (_, at) => `${name} ${at}`)
}

describe('a block', () => {
  test('takes the place of the one before, also if that was taller', () => {
    const terminal = new FakeTerminal(40, 10)
    const block = new Block(terminal)
    block.draw(linesOf('first', 4))
    block.draw(linesOf('second', 2))
    expect(terminal.text).toBe('second 0\nsecond 1')
    block.draw(linesOf('third', 3))
    expect(terminal.text).toBe('third 0\nthird 1\nthird 2')
  })

  test('stays below messages, and is written at once with them', () => {
    const terminal = new FakeTerminal(40, 10)
    terminal.write('$ comet flood\n')
    const block = new Block(terminal)
    block.draw(linesOf('block', 2))
    const before = terminal.writes
    block.messages('one\ntwo')
    expect(terminal.writes).toBe(before + 1)
    expect(terminal.text).toBe('$ comet flood\none\ntwo\nblock 0\nblock 1')
  })

  test('moves down when messages are longer than a row', () => {
    const terminal = new FakeTerminal(10, 10)
    const block = new Block(terminal)
    block.draw(linesOf('b', 2))
    block.messages('0123456789abcde')
    block.draw(linesOf('c', 2))
    expect(terminal.text).toBe('0123456789\nabcde\nc 0\nc 1')
  })

  test('has as many lines as fit above the cursor', () => {
    const terminal = new FakeTerminal(40, 4)
    const block = new Block(terminal)
    block.draw(linesOf('block', 9))
    block.draw(linesOf('block', 9))
    expect(terminal.text).toBe('block 0\nblock 1\nblock 2')
  })

  test('is made for the columns there are, less one', () => {
    const terminal = new FakeTerminal(40, 10)
    const block = new Block(terminal)
    const given: number[] = []
    block.draw((columns) => {
      given.push(columns)
      return []
    })
    terminal.resize(30, 10)
    block.messages('words')
    expect(given).toEqual([39, 29])
  })

  test('hides the cursor while it is there, and leaves nothing of itself', () => {
    const terminal = new FakeTerminal(40, 10)
    const block = new Block(terminal)
    block.draw(linesOf('block', 3))
    expect(terminal.cursorIsHidden).toBe(true)
    block.messages('words')
    block.leave()
    expect([terminal.cursorIsHidden, terminal.text]).toEqual([false, 'words'])
    block.draw(linesOf('again', 1))
    expect([terminal.cursorIsHidden, terminal.text]).toEqual([true, 'words\nagain 0'])
  })

  test('can give the cursor back and touch nothing that others wrote below it', () => {
    const terminal = new FakeTerminal(40, 10)
    const block = new Block(terminal)
    block.draw(linesOf('block', 1))
    terminal.write('a crash\n')
    block.release()
    expect([terminal.cursorIsHidden, terminal.text]).toEqual([false, 'block 0\na crash'])
  })

  test('leaves no row of itself where a narrower terminal breaks its lines', () => {
    const terminal = new FakeTerminal(40, 20, true)
    const block = new Block(terminal)
    const rows = () => terminal.text.split('\n').map((row) => row.length)
    terminal.write('message\n')
    block.draw((columns) => ['a'.repeat(columns), 'a', 'a'.repeat(columns)])
    expect(rows()).toEqual([7, 39, 1, 39])
    terminal.resize(15, 20)
    expect(rows()).toEqual([7, 15, 15, 9, 1, 15, 15, 9])
    block.draw((columns) => ['b'.repeat(columns), 'b', 'b'.repeat(columns)])
    expect(terminal.text).toBe(`message\n${'b'.repeat(14)}\nb\n${'b'.repeat(14)}`)
    terminal.resize(60, 20)
    block.messages('another')
    expect(terminal.text).toBe(`message\nanother\n${'b'.repeat(59)}\nb\n${'b'.repeat(59)}`)
  })

  test('keeps messages whole where it is not known whether lines are broken', () => {
    const terminal = new FakeTerminal(40, 20)
    const block = new Block(terminal)
    terminal.write('one\ntwo\n')
    block.draw(() => ['x'.repeat(39)])
    terminal.resize(15, 20)
    block.draw(() => ['y'])
    expect(terminal.text).toBe('one\ntwo\ny')
  })

  test('that is gone or was never drawn writes nothing more', () => {
    const terminal = new FakeTerminal(40, 10)
    const block = new Block(terminal)
    block.leave()
    block.release()
    expect(terminal.writes).toBe(0)
  })
})

describe('after many draws with words in between', () => {
  const step = fc.oneof(
    fc.record({
      words: fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ height: fc.nat({ max: 9 }) }),
    fc.record({ columns: fc.integer({ min: 12, max: 90 }) }),
  )

  test('the screen holds all words in order, and one block', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 2, max: 12 }),
        (steps, rows) => {
          const terminal = new FakeTerminal(80, rows)
          const block = new Block(terminal)
          const said: string[] = []
          let height = 0
          for (const done of steps) {
            if ('words' in done) {
              said.push(...done.words)
              block.messages(done.words.join('\n'))
            } else if ('height' in done) {
              height = done.height
              block.draw(linesOf('BLOCK', height))
            } else terminal.resize(done.columns, rows)
          }
          const shown = linesOf('BLOCK', Math.min(height, rows - 1))()
          expect(terminal.text).toBe([...said, ...shown].join('\n'))
          block.leave()
          expect(terminal.text).toBe(said.join('\n'))
          expect(terminal.cursorIsHidden).toBe(false)
        },
      ),
    )
  })
})

test.each([
  [{ VTE_VERSION: '7006' }, true],
  [{ TMUX: '/tmp/tmux-0/default,1,0' }, true],
  [{ VTE_VERSION: '7006', STY: '1.pts-0.host' }, false],
  [{ TERM: 'xterm-256color', VTE_VERSION: '' }, false],
])('whether a terminal breaks lines is known by its variables: %j', (environment, known) => {
  expect(breaksLines(environment)).toBe(known)
})
