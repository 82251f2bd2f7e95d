// Goal: a page becomes HTML that runs nothing, whatever is written in it, and leads to the other
// pages. Method: small pages, and every page of the manual.

import { describe, expect, test } from 'bun:test'
import { htmlOf, indexDocument, pageDocument } from './html-page.ts'
import { PAGES } from './pages.ts'

test('elements that are written in a page are shown as they are written', () => {
  const html = htmlOf('a <b onclick="x()">b</b>\n\n<script>alert(1)</script>\n\n`<i>`\n')
  expect(html).not.toMatch(/<(b|script|i)\b/)
  expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  expect(html).toContain('<code>&lt;i&gt;</code>')
})

test('a link to a page leads to that page on this server, others stay', () => {
  expect(htmlOf('[a](tokens.md) [b](tokens.md#keys) [c](https://d.example/e.md)\n')).toBe(
    '<p><a href="/manual/tokens">a</a> <a href="/manual/tokens#keys">b</a> ' +
      '<a href="https://d.example/e.md">c</a></p>\n',
  )
})

test('a heading has an id, and what may be too wide scrolls by keyboard', () => {
  const html = htmlOf('## What is kept\n\n| a |\n| - |\n| b |\n\n```sh test=x\ncomet\n```\n')
  expect(html).toContain('<h2 id="what-is-kept">')
  expect(html).toMatch(
    /<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>[\s\S]*<\/table><\/div>/,
  )
  expect(html).toMatch(/<pre class="scroll" tabindex="0"><code[^>]*>comet\n<\/code>/)
})

const STYLE = 'a { color: $& }'

test('the list has every page with what it is about, and the style as it is', () => {
  const html = indexDocument(STYLE)
  for (const { name, summary } of PAGES) {
    expect(html).toContain(`href="/manual/${name}"`)
    expect(html).toContain(summary)
  }
  expect(html).toContain(`<style>${STYLE}</style>`)
})

describe.each(PAGES.map((page) => [page.name, page] as const))('the page %s', (name, page) => {
  const html = pageDocument(page, STYLE)

  test('has its title once, and runs nothing', () => {
    expect(html).toContain(`<title>${page.title} – comet</title>`)
    expect(html.match(/<h1/g)).toHaveLength(1)
    expect(html).not.toMatch(/<script|javascript:| on[a-z]+=|<iframe|<img/)
  })

  test('leads to every page, and says which it is', () => {
    for (const other of PAGES) expect(html).toContain(`<a href="/manual/${other.name}"`)
    expect(html.match(/aria-current="page"/g)).toHaveLength(1)
    expect(html).toContain(`href="/manual/${name}" aria-current="page"`)
  })

  test('has an id once', () => {
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })
})
