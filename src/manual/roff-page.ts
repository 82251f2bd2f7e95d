// A page of the manual as a part of a man page (man(7)), in macros that groff and mandoc know.

const CELL = '\x1f'
const ROW = '\x1e'

/** A section, with its title in place of those that man pages usually have. */
export function roffPage(markdown: string): string {
  const rendered = Bun.markdown.render(markdown, {
    text: escaped,
    heading(text, { level }) {
      if (level > 2) return `\n.PP\n\\fB${text}\\fR\n`
      return `\n.${level === 1 ? 'SH' : 'SS'} ${quoted(level === 1 ? text.toUpperCase() : text)}\n`
    },
    paragraph: (text) => `\n.PP\n${text}\n`,
    blockquote: (text) => `\n.RS 4\n${text}\n.RE\n`,
    code: (text) => `\n.PP\n.RS 4\n.EX\n${linesOf(text)}\n.EE\n.RE\n`,
    list: (items, { depth }) => (depth === 0 ? items : `\n.RS 4\n${items}\n.RE\n`),
    listItem(text, { index, ordered, start = 1 }) {
      const tag = ordered ? `${start + index}. 4` : '\\(bu 2'
      return `\n.IP ${tag}\n${text.replace(/^\s*\.PP\n/, '')}\n`
    },
    th: (text) => text + CELL,
    td: (text) => text + CELL,
    tr: (cells) => cells + ROW,
    table,
    hr: () => '\n',
    strong: (text) => `\\fB${text}\\fR`,
    emphasis: (text) => `\\fI${text}\\fR`,
    codespan: (text) => `\\fB${text}\\fR`,
    link(text, { href }) {
      const isInside = /^[a-z-]+\.md(#.*)?$/.test(href) || href.startsWith('#')
      return isInside || text === escaped(href) ? text : `${text} <${escaped(href)}>`
    },
  })
  const lines = rendered.replaceAll(/\n\s*\n+/g, '\n').trim()
  // A heading begins a paragraph by itself.
  return lines.replaceAll(/^(\.S[HS] .*)\n\.PP$/gm, '$1')
}

/** Text that roff takes for text, wherever it stands. */
export function escaped(text: string): string {
  return (
    text
      .replaceAll('\\', '\\e')
      // Otherwise it is a hyphen, which no option has.
      .replaceAll('-', '\\-')
      .replaceAll(/^[.']/gm, '\\&$&')
  )
}

/** An argument of a macro. */
export function quoted(text: string): string {
  return `"${text.replaceAll('"', '\\(dq')}"`
}

/** An empty line stays one: others are taken out at the end. */
function linesOf(text: string): string {
  return text.replace(/\n$/, '').replaceAll(/^$/gm, '.sp')
}

/** Each row as an item: man pages are read in columns that no table fits. */
function table(content: string): string {
  const rows = content.split(ROW).map((row) => row.split(CELL).slice(0, -1))
  const [names = [], ...items] = rows.filter((row) => row.length > 0)
  const hasNames = names.slice(2).length > 0
  return items
    .map(([tag = '', ...rest]) => {
      const cells = rest.map((cell, at) => (hasNames ? `${names[at + 1]}: ${cell}` : cell))
      return `\n.TP 8\n\\fB${tag}\\fR\n${cells.join('\n.br\n')}\n`
    })
    .join('')
}
