// The manual as pages of HTML: each has the list of all pages beside it, and no script.

import { build } from '../core/build.ts'
import { type ManualPage, PAGES } from './pages.ts'

/** Where the pages are on the control port. */
export const MANUAL_PATH = '/manual'

const SCROLLS = 'class="scroll" tabindex="0"'

/** What the style sheet of the page is put in place of. */
const STYLE = '<style></style>'

/** @param style the text of the style sheet */
export function pageDocument(page: ManualPage, style: string): string {
  return filled(documentOf(page.title, page.name, htmlOf(page.text)), style)
}

/** The list of all pages, with what each is about. */
export function indexDocument(style: string): string {
  const items = PAGES.map(({ name, title, summary }) => {
    return `<li><a href="${MANUAL_PATH}/${name}">${escaped(title)}</a>: ${escaped(summary)}</li>`
  })
  const own = `<h1>Manual</h1>\n<p>On a command line, <code>comet help NAME</code> shows a page.</p>`
  return filled(documentOf('Manual', null, `${own}\n<ul>${items.join('\n')}</ul>`), style)
}

/** A page's own text. Whatever is written in it, only its Markdown becomes elements. */
export function htmlOf(markdown: string): string {
  return (
    Bun.markdown
      .html(markdown, { noHtmlBlocks: true, noHtmlSpans: true, headings: { ids: true } })
      .replaceAll(/(<a href=")([a-z-]+)\.md(?=[#"])/g, `$1${MANUAL_PATH}/$2`)
      // What is too wide scrolls by itself, by keyboard, too.
      .replaceAll('<pre>', `<pre ${SCROLLS}>`)
      .replaceAll('<table>', `<div ${SCROLLS} role="group" aria-label="Table"><table>`)
      .replaceAll('</table>', '</table></div>')
  )
}

/** @param current the name of the page; null for the list of them, which needs none beside it */
function documentOf(title: string, current: string | null, content: string): string {
  const links = PAGES.map(({ name, title: of }) => {
    const here = name === current ? ' aria-current="page"' : ''
    return `<li><a href="${MANUAL_PATH}/${name}"${here}>${escaped(of)}</a></li>`
  })
  const list = `<nav id="pages" aria-label="Pages of the manual"><ul>\n${links.join('\n')}\n</ul></nav>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escaped(title)} – comet</title>
${STYLE}
</head>
<body>
<header>
  <p><a href="/">comet</a> <span class="muted">${escaped(build.version)}</span></p>
  <nav aria-label="Other pages">
    ${current === null ? '' : '<a class="narrow" href="#pages">All pages</a>'}
    <a href="${MANUAL_PATH}">Manual</a>
    <a href="/try">Try a stream</a>
  </nav>
</header>
<div class="columns">
<main>
${content}
</main>
${current === null ? '' : list}
</div>
</body>
</html>
`
}

/** A function, since `$&` and the like have a meaning in a replacement string. */
function filled(html: string, style: string): string {
  return html.replace(STYLE, () => `<style>${style}</style>`)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
