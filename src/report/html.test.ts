// Goal: a page's frame holds its text as text. Method: single pieces, and one whole page.

import { expect, test } from 'bun:test'
import { bodyRow, card, escaped, headRow, pageText, table } from './html.ts'

test('escaped text reads the same in elements and attributes', () => {
  expect(escaped(`<a b="c">&'`)).toBe(`&lt;a b=&quot;c&quot;&gt;&amp;'`)
})

test('cells and cards escape their text, and numbers are aligned', () => {
  expect(bodyRow(['<', '1'], new Set([1]))).toBe('<tr><td>&lt;</td><td class="number">1</td></tr>')
  expect(table(headRow(['a']), [])).toContain('<thead><tr><th>a</th></tr></thead><tbody></tbody>')
  expect(card('a<', 'b<', 'c<')).toBe(
    '<div class="card"><span>a&lt;</span><b>b&lt;</b><span>c&lt;</span></div>',
  )
  expect(card('a', 'b')).not.toContain('<span></span>')
})

test('a page has script, style and licence in it, and data that cannot end its element', () => {
  const bands = [{ name: '</script><script>', fromSeconds: 0, toSeconds: 1 }]
  const html = pageText({ title: 'a <b>', body: ['<p>c</p>'], charts: [], bands })
  expect(html).toContain('<h1>a &lt;b&gt;</h1>\n<p>c</p>')
  expect(html).toContain('Leon Sorokin')
  expect(html).toContain('.uplot')
  expect(html.match(/<\/script/g)).toHaveLength(2)
  expect(html.match(/<\/style/g)).toHaveLength(1)
})
