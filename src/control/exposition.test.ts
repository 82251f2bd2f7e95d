// Goal: what is written is what Prometheus reads, in both formats, whatever the texts contain.
// Method: whole pages as text, and Accept headers as scrapers, browsers and curl send them.

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Histogram } from '../core/histogram.ts'
import { CONTENT_TYPES, Exposition, formatFor } from './exposition.ts'

const FAMILIES = {
  a_info: { type: 'info', help: 'What it is.' },
  b_total: { type: 'counter', help: 'A backslash \\, a "quote" and a\nnew line.' },
  c_bytes: { type: 'gauge', help: 'Bytes.' },
  d_seconds: { type: 'histogram', help: 'Seconds.' },
} as const

const newPage = () => new Exposition<keyof typeof FAMILIES>(FAMILIES)

function filledPage() {
  const page = newPage()
  // Not in the order of the table.
  page.add('c_bytes', 1.5)
  page.add('b_total', 3, { reason: 'one' })
  page.add('b_total', 4e21, { reason: 'other' })
  page.add('a_info', 1, { version: '1.0' })
  const seconds = new Histogram([0.1, 1])
  for (const value of [0.1, 0.5, 7]) seconds.record(value)
  page.addHistogram('d_seconds', [0.1, 1], seconds.figures(), { input: 'x' })
  return page
}

describe('a page', () => {
  test('in the text format', () => {
    expect(filledPage().text('text')).toBe(`# HELP a_info What it is.
# TYPE a_info gauge
a_info{version="1.0"} 1
# HELP b_total A backslash \\\\, a "quote" and a\\nnew line.
# TYPE b_total counter
b_total{reason="one"} 3
b_total{reason="other"} 4e+21
# HELP c_bytes Bytes.
# TYPE c_bytes gauge
c_bytes 1.5
# HELP d_seconds Seconds.
# TYPE d_seconds histogram
d_seconds_bucket{input="x",le="0.1"} 1
d_seconds_bucket{input="x",le="1.0"} 2
d_seconds_bucket{input="x",le="+Inf"} 3
d_seconds_sum{input="x"} 7.6
d_seconds_count{input="x"} 3
`)
  })

  test('in OpenMetrics has families without suffixes, and an end', () => {
    const lines = filledPage().text('openmetrics').split('\n')
    expect(lines.filter((line) => line.startsWith('#'))).toEqual([
      '# HELP a What it is.',
      '# TYPE a info',
      '# HELP b A backslash \\\\, a \\"quote\\" and a\\nnew line.',
      '# TYPE b counter',
      '# HELP c_bytes Bytes.',
      '# TYPE c_bytes gauge',
      '# HELP d_seconds Seconds.',
      '# TYPE d_seconds histogram',
      '# EOF',
    ])
    expect(lines.slice(-2)).toEqual(['# EOF', ''])
  })

  test('has the same samples in both', () => {
    const [text, open] = (['text', 'openmetrics'] as const).map((format) =>
      filledPage()
        .text(format)
        .split('\n')
        .filter((line) => !line.startsWith('#')),
    )
    expect(open).toEqual(text ?? [])
  })

  test('leaves out what has no value', () => {
    const page = newPage()
    page.add('c_bytes', null)
    expect([page.text('text'), page.text('openmetrics')]).toEqual(['\n', '# EOF\n'])
  })

  test('keeps the texts of labels whole, on one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const page = newPage()
        page.add('c_bytes', 1, { text })
        const line = page.text('text').split('\n')[2] ?? ''
        const value = /^c_bytes\{text="((?:[^"\\\n]|\\[\\n"])*)"\} 1$/s.exec(line)?.[1]
        const unescaped = value?.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char))
        expect(unescaped).toBe(text)
      }),
    )
  })
})

describe('the format', () => {
  const text = 'text/plain;version=0.0.4'
  const open = 'application/openmetrics-text;version=1.0.0'
  test.each([
    [null, 'text'],
    ['', 'text'],
    ['*/*', 'text'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text'],
    ['text/plain', 'text'],
    [text, 'text'],
    [open, 'openmetrics'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8', 'openmetrics'],
    // Prometheus 2.
    [
      `${open},application/openmetrics-text;version=0.0.1;q=0.75,${text};q=0.5,*/*;q=0.1`,
      'openmetrics',
    ],
    // Prometheus 3.
    [
      `${open};escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,` +
        `text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,${text};q=0.2,/;q=0.1`,
      'openmetrics',
    ],
    ['application/openmetrics-text;version=0.0.1', 'text'],
    [`${open};q=0.5,${text};q=0.6`, 'text'],
    [`${open};q=0.5,text/*;q=0.6`, 'text'],
    [`${open};q=0.5,${text};q=0.5`, 'openmetrics'],
    [`${open};q=0`, 'text'],
    [`${open};q=rubbish`, 'text'],
    [';;,,=;q', 'text'],
  ] as const)('for %p is %p', (accept, format) => {
    expect(formatFor(accept)).toBe(format)
  })

  test('says which one it is', () => {
    expect(CONTENT_TYPES).toEqual({
      text: 'text/plain; version=0.0.4; charset=utf-8',
      openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
    })
  })
})
