// A page of the manual for a terminal: headings and names stand out, text is broken at its width,
// tables keep their columns, and commands stand alone, so that they can be copied.

/** Put before each line that has its final form, since inner parts are made first. */
const MADE = '\x1d'
const CELL = '\x1f'
const ROW = '\x1e'

const GAP = 2
/** A longer word may be broken in a table; one that is broken sooner makes a list of it. */
const WORD_COLUMNS_MAX = 14
const ITEM_INDENT = 2
const CODE_INDENT = '    '

/** Lines of no more than so many columns, except for commands. */
export function terminalPage(markdown: string, columns: number): string {
  const rendered = Bun.markdown.render(markdown, {
    heading: (text, { level }) => block(heading(level, flowed(text, columns))),
    paragraph: (text) => block(flowed(text, columns)),
    blockquote: (text) =>
      block(
        linesOf(text, columns - 2)
          .filter(isText)
          .map((line) => `│ ${line}`),
      ),
    code: (text) => block(text.replace(/\n$/, '').split('\n').map(indented)),
    list: (items, { depth }) => (depth === 0 ? block(linesOf(items, columns)) : `\n${items}`),
    listItem(text, { index, ordered, start = 1, depth }) {
      const bullet = ordered ? `${start + index}. ` : '• '
      const indent = Math.max(ITEM_INDENT, bullet.length)
      const lines = linesOf(text, columns - indent - depth * ITEM_INDENT).filter(isText)
      return made(lines.map((line, at) => (at === 0 ? bullet : ' '.repeat(indent)) + line))
    },
    th: (text) => `${bold(text)}${CELL}`,
    td: (text) => text + CELL,
    tr: (cells) => cells + ROW,
    table: (rows) => block(table(rows, columns)),
    hr: () => block(['─'.repeat(columns)]),
    strong: bold,
    emphasis: (text) => `\x1b[4m${text}\x1b[24m`,
    codespan: (text) => `\x1b[36m${text}\x1b[39m`,
    link: (text, { href }) => linked(text, href),
  })
  return `${linesOf(rendered, columns).join('\n').trim()}\n`
}

function bold(text: string): string {
  return text === '' ? '' : `\x1b[1m${text}\x1b[22m`
}

function heading(level: number, lines: readonly string[]): string[] {
  return lines.map((line) => (level === 1 ? `\x1b[4m${bold(line)}\x1b[24m` : bold(line)))
}

/** Where a link of a page leads, in words. */
function linked(text: string, href: string): string {
  const [, page] = /^([a-z-]+)\.md(?:#.*)?$/.exec(href) ?? []
  if (page !== undefined) return `${text} (comet help ${page})`
  return href.startsWith('#') || Bun.stripANSI(text) === href ? text : `${text} <${href}>`
}

function block(lines: readonly string[]): string {
  return made([...lines, ''])
}

function made(lines: readonly string[]): string {
  return `\n${lines.map((line) => MADE + line).join('\n')}\n`
}

/** The lines of what has been made, and of text that has not. */
function linesOf(content: string, columns: number): string[] {
  const lines: string[] = []
  let text = ''
  const flow = () => {
    if (text.trim() !== '') lines.push(...flowed(text, columns))
    text = ''
  }
  for (const line of content.split('\n')) {
    if (line.startsWith(MADE)) {
      flow()
      lines.push(line.slice(MADE.length))
    } else text += `${line}\n`
  }
  flow()
  return lines
}

function flowed(text: string, columns: number): string[] {
  const line = text.trim().replace(/\s*\n\s*/g, ' ')
  return Bun.wrapAnsi(line, columns, { hard: true }).split('\n')
}

function indented(line: string): string {
  return line === '' ? line : CODE_INDENT + line
}

function isText(line: string, at: number, lines: readonly string[]): boolean {
  // A blank line at the end would part the items.
  return line !== '' || at < lines.length - 1
}

function table(content: string, columns: number): string[] {
  const rows = content
    .split(ROW)
    .map((row) => row.split(CELL).slice(0, -1))
    .filter((row) => row.some((cell) => Bun.stripANSI(cell).trim() !== ''))
  const widths = widthsOf(rows, columns)
  const words = rows.flatMap((row) => row.map((cell, at) => [at, longestWordIn(cell)] as const))
  if (words.some(([at, word]) => Math.min(word, WORD_COLUMNS_MAX) > (widths[at] ?? 0))) {
    return listOf(rows, columns)
  }
  return rows.flatMap((row) => {
    const cells = row.map((cell, at) =>
      Bun.wrapAnsi(cell.trim(), widths[at] ?? columns, { hard: true }).split('\n'),
    )
    const height = Math.max(...cells.map((lines) => lines.length))
    return Array.from({ length: height }, (_, line) => {
      const parts = cells.map((lines, at) => padded(lines[line] ?? '', widths[at] ?? 0))
      return parts.join(' '.repeat(GAP)).trimEnd()
    })
  })
}

function longestWordIn(cell: string): number {
  return Math.max(...cell.split(/\s+/).map((word) => Bun.stringWidth(word)))
}

/** Each row by itself, with the name of each of its cells. */
function listOf([names = [], ...rows]: readonly (readonly string[])[], columns: number): string[] {
  return rows.flatMap(([first = '', ...cells], at) => [
    ...(at === 0 ? [] : ['']),
    ...flowed(bold(first), columns),
    ...cells.flatMap((cell, index) =>
      Bun.stripANSI(cell).trim() === ''
        ? []
        : flowed(`${Bun.stripANSI(names[index + 1] ?? '')}: ${cell}`, columns - ITEM_INDENT).map(
            (line) => ' '.repeat(ITEM_INDENT) + line,
          ),
    ),
  ])
}

/** As wide as what is in them; where that is too much, the widest give way. */
function widthsOf(rows: readonly (readonly string[])[], columns: number): number[] {
  const count = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, at) =>
    Math.max(1, ...rows.map((row) => Bun.stringWidth((row[at] ?? '').trim()))),
  )
  const room = columns - GAP * (count - 1)
  const taken = () => widths.reduce((sum, width) => sum + width, 0)
  while (taken() > room && Math.max(...widths) > 1) {
    const widest = widths.indexOf(Math.max(...widths))
    widths[widest] = (widths[widest] ?? 1) - 1
  }
  return widths
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - Bun.stringWidth(text)))
}
