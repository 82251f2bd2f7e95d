// Goal: pairs and bad lines are the same however the bytes are cut, and follow the format.
// Method: tables of lines; any lines against a slow and simple reader, cut at every byte.

import { describe, expect, test } from 'bun:test'
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import type { Subject } from '../core/user.ts'
import { NameTable } from './name-table.ts'
import { type BadLine, PairsReader } from './pairs.ts'

const ID_MAX = 1_000
const LINE_BYTES_MAX = 1_024
const ID_MAX_MAX = 2_147_483_647

interface Read {
  readonly pairs: Subject[]
  readonly bad: BadLine[]
  readonly lines: number
}

function readAll(
  parts: Iterable<Uint8Array>,
  idMax = ID_MAX,
  ignoresColumns = false,
  takesNames = false,
): Read {
  const names = new NameTable({ seed: 1 })
  const reader = new PairsReader({ idMax, ignoresColumns, names: takesNames ? names : null })
  for (const part of parts) reader.push(part)
  reader.end()
  const pairs = [...reader.take()].map((id) => names.subjectOf(id))
  return { pairs, bad: reader.takeBad(), lines: reader.lines }
}

function readText(text: string, idMax = ID_MAX): Read {
  return readAll([Buffer.from(text)], idMax)
}

/** A second implementation of the format, slow and simple. */
function readSlowly(bytes: Buffer, ignoresColumns = false, takesNames = false): Read {
  const withoutMark = bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '')
  const lines = withoutMark.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const pairs: Subject[] = []
  const bad: BadLine[] = []
  for (const [index, line] of lines.entries()) {
    const [first, second, more] = columnsOf(line, takesNames)
    const [a, b] = [subjectOf(first), subjectOf(second)]
    const refuse = (reason: string) => bad.push({ line: index + 1, reason })
    if (!isUtf8(Buffer.from(line, 'latin1'))) refuse('not UTF-8')
    else if (Buffer.from(line, 'latin1').some(isControl)) refuse('not text')
    else if (/^[ \t]*[#%]/.test(line)) continue
    else if (line.length > LINE_BYTES_MAX) refuse('line too long')
    else if (/^[ \t]*\r?$/.test(line)) continue
    else if (second === undefined) refuse(takesNames ? 'not two ids or names' : 'not two ids')
    else if (more !== undefined && !ignoresColumns) refuse('more than two columns')
    else if (a === null || b === null) refuse('not two ids or names')
    else if (a === 0 || b === 0) refuse('id 0')
    else if (Number(a) > ID_MAX || Number(b) > ID_MAX) refuse(`above the highest id ${ID_MAX}`)
    else if (a === b) refuse('follows itself')
    else pairs.push(a, b)
  }
  return { pairs, bad, lines: lines.length }
}

/** A number or a name; null for neither. */
function subjectOf(text = ''): Subject | null {
  if (/^\d*$/.test(text)) return Number(text)
  return /^[\w.:@-]{1,64}$/.test(text) ? text : null
}

/** The two columns and what follows them; fewer if the line is not two columns. */
function columnsOf(line: string, takesNames: boolean): string[] {
  const skip = (text: string): string => text.replace(/^[ \t]*/, '')
  const column = takesNames ? /^[^ \t\r,]*/ : /^\d*/
  const begin = (text: string): string => column.exec(text)?.[0] ?? ''
  const whole = skip(line.replace(/\r$/, ''))
  const first = begin(whole)
  const behind = whole.slice(first.length)
  const rest = skip(skip(behind).replace(/^,/, ''))
  const second = begin(rest)
  if (first === '' || second === '' || rest === behind) return []
  const end = rest.slice(second.length)
  const more = skip(end)
  if (more === '') return [first, second]
  const isColumn = more.startsWith(',') || (more !== end && !more.startsWith('\r'))
  return isColumn ? [first, second, more] : []
}

function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09 && byte !== 0x0d) || byte === 0x7f
}

describe('a line is read', () => {
  test.each([
    ['as two ids', '1 2\n', [1, 2]],
    ['with tabs and spaces between', '1 \t  2\n', [1, 2]],
    ['with \\r\\n at its end', '1 2\r\n3 4\r\n', [1, 2, 3, 4]],
    ['without a newline if it is the last', '1 2\n3 4', [1, 2, 3, 4]],
    ['with half of a line end if it is the last', '3 4\r', [3, 4]],
    ['with blanks around', ' 1 2\t\n\t3 4 \r\n', [1, 2, 3, 4]],
    ['as nothing if it is blank', '\n \n\t\n\r\n \r\n1 2\n\n', [1, 2]],
    ['with the highest ids', '1000 999\n', [1000, 999]],
    ['with zeros in front', '007 08\n', [7, 8]],
    ['as nothing from an empty input', '', []],
    ['with a comma between', '1,2\n3 , 4\n5,\t6\r\n', [1, 2, 3, 4, 5, 6]],
    ['as nothing if it is a comment', '# 1 2\n%\n \t#é\r3\r\n1 2\n#', [1, 2]],
    ['as nothing if it is a long comment', `# ${'x'.repeat(LINE_BYTES_MAX)}\n1 2`, [1, 2]],
    ['after a byte-order mark', '\ufeff1 2\n', [1, 2]],
    ['as nothing if it is blank after a byte-order mark', '\ufeff\n1 2\n', [1, 2]],
    ['up to the maximum length', `1${' '.repeat(LINE_BYTES_MAX - 2)}2\n`, [1, 2]],
  ])('%s', (_, text, pairs) => {
    expect(readText(text)).toMatchObject({ pairs, bad: [] })
  })

  test('with the highest id there is', () => {
    const { pairs } = readText(`${ID_MAX_MAX} 1\n1 ${ID_MAX_MAX}\n`, ID_MAX_MAX)
    expect(pairs).toEqual([ID_MAX_MAX, 1, 1, ID_MAX_MAX])
  })
})

describe('a line is rejected as', () => {
  test.each([
    [
      'not two ids',
      [
        '1',
        '1 ',
        '1,',
        ',1',
        '1,,2',
        '1 ,\t, 2',
        '1;2',
        '1 2x',
        '-1 2',
        '1.0 2',
        'a b',
        '1 \r2',
        '1\r',
      ],
    ],
    ['not two ids', ['1 2\r\r', '1 2\r ', '1e1 2', '0x1 2', 'ä 2', '\ufeff1 2', '１ 2', '1 # 2']],
    ['more than two columns', ['1 2 3', '1 2,', '1,2,x', '1 2 x\r', '1 2 # x', '7 7 1', '1 2 é']],
    ['id 0', ['0 1', '1 0', '0 0', '000 1']],
    ['above the highest id 1000', ['1001 1', '1 1001', '4294967297 1', `1 ${'9'.repeat(400)}`]],
    ['follows itself', ['7 7', '07 7', '7 7\r']],
    ['line too long', [`1${' '.repeat(LINE_BYTES_MAX - 1)}2`, ' '.repeat(LINE_BYTES_MAX + 1)]],
    [
      'not text',
      [
        '# \0',
        '1 2 \u001b',
        '1 2\0',
        '1\u001b2',
        '\u007f',
        '1 2\v',
        `\0${'x'.repeat(2 * LINE_BYTES_MAX)}`,
      ],
    ],
  ])('%s', (reason, lines) => {
    for (const line of lines) {
      const { pairs, bad } = readText(`1 2\n${line}\n3 4\n`)
      expect(bad).toEqual([{ line: 2, reason }])
      expect(pairs).toEqual([1, 2, 3, 4])
    }
  })
})

describe('where names are taken, a line', () => {
  const read = (line: string) => readAll([Buffer.from(line)], ID_MAX, false, true)

  test.each<[string, Subject[]]>([
    ['alice bob', ['alice', 'bob']],
    ['7 room:42', [7, 'room:42']],
    ['alice\t7\r', ['alice', 7]],
    [' alice , bob@example.org ', ['alice', 'bob@example.org']],
    ['0x1 2', ['0x1', 2]],
    ['-1 1.0', ['-1', '1.0']],
    ['007 7a', [7, '7a']],
    ['alice Alice', ['alice', 'Alice']],
    [`${'x'.repeat(64)},y`, ['x'.repeat(64), 'y']],
  ])('may be %j', (line, pair) => {
    const before = [1, 2, 'alice', 3]
    const expected = { pairs: [...before, ...pair, 3, 4], bad: [], lines: 4 }
    expect(read(`1 2\nalice 3\n${line}\n3 4`)).toEqual(expected)
    expect(read(`\ufeff${line}\n`).pairs).toEqual(pair)
  })

  test.each([
    ['alice', 'not two ids or names'],
    ['alice,,bob', 'not two ids or names'],
    ['alice zoë', 'not two ids or names'],
    ['alice b*', 'not two ids or names'],
    ['a;b c', 'not two ids or names'],
    ['\ufeffalice bob', 'not two ids or names'],
    [`${'x'.repeat(65)} y`, 'not two ids or names'],
    ['alice bob carol', 'more than two columns'],
    ['alice 0', 'id 0'],
    ['alice 1001', 'above the highest id 1000'],
    ['alice alice', 'follows itself'],
    ['7 07', 'follows itself'],
    ['alice bo\u001b', 'not text'],
  ])('must not be %j', (line, reason) => {
    const { pairs, bad } = read(`1 2\n${line}\n3 4\n`)
    expect([pairs, bad]).toEqual([[1, 2, 3, 4], [{ line: 2, reason }]])
  })

  test('is refused if there is no room for its name, and leaves what is known', () => {
    const names = new NameTable({ seed: 1, namesMax: 2 })
    const reader = new PairsReader({ idMax: ID_MAX, names })
    reader.push(Buffer.from('alice bob\nbob carol\nbob alice\n'))
    expect([...reader.take()].map((id) => names.subjectOf(id))).toEqual([
      ...['alice', 'bob'],
      ...['bob', 'alice'],
    ])
    expect(reader.takeBad()).toEqual([{ line: 2, reason: 'no room for another name' }])
  })

  test('that is refused has no handle for its names', () => {
    const names = new NameTable({ seed: 1 })
    const reader = new PairsReader({ idMax: ID_MAX, names })
    reader.push(Buffer.from('alice 0\nalice alice\nalice b*\nalice bob carol\n'))
    expect([reader.badCount, names.size]).toEqual([4, 0])
  })
})

test('a line is refused as not UTF-8 whatever else it is', () => {
  for (const bytes of [
    [0xe9],
    [0x23, 0xe9],
    [0x31, 0x20, 0x32, 0x20, 0xc3],
    [0xff, 0xfe, 0],
    [0xef, 0xbb],
  ]) {
    const line = Buffer.from([...bytes, 0x0a, 0x31, 0x20, 0x32])
    expect(readAll([line])).toEqual({
      pairs: [1, 2],
      bad: [{ line: 1, reason: 'not UTF-8' }],
      lines: 2,
    })
  }
})

test('columns after two ids can be ignored', () => {
  const { pairs, bad } = readAll(
    [Buffer.from('1 2 3\n3,4,"x, y"\r\n5 6,\n5 5 1\n1 2x\n')],
    ID_MAX,
    true,
  )
  expect(pairs).toEqual([1, 2, 3, 4, 5, 6])
  expect(bad.map(({ reason }) => reason)).toEqual(['follows itself', 'not two ids'])
})

const id = fc.oneof(fc.integer({ min: 0, max: 1_100 }).map(String), fc.constantFrom('7', '0'))
const blank = fc.constantFrom(' ', ' ', '\t', '  ', '')
const goodLine = fc
  .tuple(id, fc.constantFrom(' ', '\t', ',', ' , '), id)
  .map(([a, between, b]) => `${a}${between}${b}`)
const namedLine = goodLine.map((line) => line.replace(/\d/, 'a').replaceAll('7', 'b.'))
const oddLine = fc
  .array(
    fc.oneof(
      id,
      blank,
      fc.constantFrom(',', ',', '#', '%', '\r', 'x', '\0', 'é', '\ufeff', 'x'.repeat(1_020)),
      fc.constantFrom('alice', 'room:42', '-', 'x'.repeat(64)),
    ),
    {
      maxLength: 5,
    },
  )
  .map((parts) => parts.join(''))
const lineEnd = fc.constantFrom('\n', '\n', '\r\n', '\n\n')
const text = fc
  .array(fc.tuple(fc.oneof({ weight: 3, arbitrary: goodLine }, namedLine, oddLine), lineEnd), {
    maxLength: 8,
  })
  .map((lines) => lines.map(([line, end]) => line + end).join(''))
const maybeCut = fc
  .tuple(fc.constantFrom('', '\ufeff'), text, fc.nat({ max: 3 }))
  .map(([mark, all, cut]) => Buffer.from(mark + all).subarray(0, -cut || undefined))

describe('pairs and bad lines are the same if the bytes are cut', () => {
  test('at every place in two', () => {
    const { property, boolean } = fc
    const cuts = property(maybeCut, boolean(), boolean(), (bytes, ignores, takesNames) => {
      const expected = readSlowly(bytes, ignores, takesNames)
      for (let at = 0; at <= bytes.length; at++) {
        const parts = [bytes.subarray(0, at), bytes.subarray(at)]
        expect(readAll(parts, ID_MAX, ignores, takesNames)).toEqual(expected)
      }
    })
    fc.assert(cuts, { numRuns: 120 })
  })

  test('into single bytes', () => {
    const property = fc.property(maybeCut, fc.boolean(), (bytes, takesNames) => {
      const parts = [...bytes].map((byte) => Uint8Array.of(byte))
      const expected = readSlowly(bytes, false, takesNames)
      expect(readAll(parts, ID_MAX, false, takesNames)).toEqual(expected)
    })
    fc.assert(property, { numRuns: 1_000 })
  })

  test('anywhere, for arbitrary bytes', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, at) => {
      const cut = readAll([bytes.subarray(0, at), bytes.subarray(at)])
      expect(cut).toEqual(readAll([bytes]))
    })
    fc.assert(property)
  })
})

describe('the reader', () => {
  test('returns pairs once, also more of them than it had room for at first', () => {
    const reader = new PairsReader({ idMax: 1e6 })
    const expected: number[] = []
    for (let user = 1; user <= 5_000; user++) {
      reader.push(Buffer.from(`${user} ${user + 1}\n`))
      expected.push(user, user + 1)
    }
    expect(reader.pairsHeld).toBe(5_000)
    const first = reader.take()
    expect([...first]).toEqual(expected)
    expect(reader.take()).toHaveLength(0)
    reader.push(Buffer.from('9 8\n'))
    expect([...reader.take()]).toEqual([9, 8])
    expect([...first]).toEqual(expected)
  })

  test('returns a pair only after its line has ended', () => {
    const reader = new PairsReader({ idMax: 100 })
    reader.push(Buffer.from('1 2\n1 3'))
    expect([...reader.take()]).toEqual([1, 2])
    reader.push(Buffer.from('4\n'))
    expect([...reader.take()]).toEqual([1, 34])
  })

  test('lists the first hundred bad lines once, and counts all', () => {
    const reader = new PairsReader({ idMax: 100 })
    reader.push(Buffer.from('x\n'.repeat(60)))
    expect(reader.takeBad()).toHaveLength(60)
    reader.push(Buffer.from('x\n'.repeat(60)))
    const rest = reader.takeBad()
    expect(rest).toHaveLength(40)
    expect(rest[0]?.line).toBe(61)
    expect(reader.badCount).toBe(120)
    expect(reader.takeBad()).toEqual([])
  })

  test('lists at most badListedMax bad lines', () => {
    const reader = new PairsReader({ idMax: 100, badListedMax: 2 })
    reader.push(Buffer.from('x\ny\nz\n'))
    expect(reader.takeBad().map(({ line }) => line)).toEqual([1, 2])
    expect(reader.badCount).toBe(3)
  })
})
