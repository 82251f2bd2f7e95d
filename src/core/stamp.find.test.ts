// Goal: the flood client finds a stamp wherever something was put around a message.
// Method: a table of wrappings, and properties over text before and behind.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { findStamp, type Stamp, stampedText } from './stamp.ts'

/** Finds a stamp in text that lies between other bytes, which must not matter. */
function find(text: string, before = '', behind = ''): Stamp | null {
  const bytes = new TextEncoder().encode(before + text + behind)
  const start = Buffer.byteLength(before)
  const fields = { generator: -1, sequence: -1, dueMicros: -1 }
  return findStamp(bytes, start, start + Buffer.byteLength(text), fields) ? fields : null
}

const STAMP = { generator: 3, sequence: 7, dueMicros: 1795507371003684 }
const TEXT = stampedText(7, STAMP)

describe('a stamp is found', () => {
  test.each([
    ['alone', TEXT],
    ['in JSON', JSON.stringify({ id: 1, message: TEXT, of: 'x=1.2.3' })],
    ['in JSON of JSON', JSON.stringify([JSON.stringify({ text: TEXT })])],
    ['in an event', `event: message\ndata: ${TEXT}\nid: 5\n`],
    ['in a script', `<script>parent.got('${TEXT}')</script>`],
    ['behind several signs', `a=b; c==d=1.2.3 stamp= stamp=1.2 ${TEXT}`],
    ['behind a sign at its start', `=${TEXT}`],
    ['before another one', `${TEXT} stamp=9.9.9`],
    ['before a sign', `${TEXT}=`],
  ])('%s', (_, text) => {
    expect(find(text)).toEqual(STAMP)
  })

  test('behind and before any text without digits and dots next to it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, behind) => {
        const words = before.replaceAll('stamp', '')
        const rest = behind.replace(/^[\d.]+/, '')
        expect(find(`${words}${TEXT}${rest}`, 'x stamp=1.2.3 ', ' stamp=1.2.3')).toEqual(STAMP)
      }),
    )
  })
})

describe('no stamp is found', () => {
  test.each([
    [''],
    ['='],
    ['====='],
    ['a=1.2.3'],
    [' stamp='],
    [' stamp=1.2'],
    [' stamp=1.2.3.4'],
    [' stamp=1..3'],
    [' stamp="1.2.3"'],
    ['xstamp=1.2.3'],
  ])('in %p', (text) => {
    expect(find(text)).toBeNull()
  })

  test('in what lies before or behind the message', () => {
    expect(find('no', ' stamp=1.2.3', ' stamp=1.2.3')).toBeNull()
    expect(find('1.2.3', ' stamp=')).toBeNull()
    expect(find(' stamp=1.2.', '', '3')).toBeNull()
  })
})
