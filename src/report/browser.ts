// The part of the browser that pages use, typed here because the browser's own types would apply to
// the whole project, and how elements are created and filled. Text is only ever set as text.

export interface PageElement {
  textContent: string | null
  hidden: boolean
  value: string
  checked: boolean
  disabled: boolean
  className: string
  readonly clientWidth: number
  readonly clientHeight: number
  scrollTop: number
  readonly scrollHeight: number
  readonly dataset: Record<string, string | undefined>
  readonly classList: { toggle(name: string, on: boolean): void }
  append(...parts: (PageElement | string)[]): void
  replaceChildren(...parts: (PageElement | string)[]): void
  setAttribute(name: string, value: string): void
  addEventListener(event: string, listener: (event: { preventDefault(): void }) => void): void
  focus(): void
}

declare const document: {
  readonly documentElement: PageElement
  readonly hidden: boolean
  title: string
  getElementById(id: string): PageElement | null
  createElement(name: string): PageElement
  querySelectorAll(selector: string): Iterable<PageElement>
  addEventListener(event: string, listener: () => void): void
}
declare const location: { readonly origin: string }
declare function getComputedStyle(of: PageElement): { getPropertyValue(name: string): string }
declare function matchMedia(query: string): {
  addEventListener(event: 'change', listener: () => void): void
}
declare class ResizeObserver {
  constructor(listener: () => void)
  observe(element: PageElement): void
}

export const root = document.documentElement

/** Of the page. */
export const { origin } = location

/** An element that the page's HTML has. */
export function byId(id: string): PageElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no #${id}`)
  return element
}

export function queryAll(selector: string): Iterable<PageElement> {
  return document.querySelectorAll(selector)
}

/** A new element with its text or parts. */
export function create(
  name: string,
  className: string,
  ...parts: (PageElement | string)[]
): PageElement {
  const element = document.createElement(name)
  if (className !== '') element.className = className
  element.append(...parts)
  return element
}

/** Sets the text only if it differs: screen readers announce each change. */
export function setText(element: PageElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

export function setTitle(text: string): void {
  if (document.title !== text) document.title = text
}

export function isVisible(): boolean {
  return !document.hidden
}

export function onVisibilityChange(listener: () => void): void {
  document.addEventListener('visibilitychange', listener)
}

/** A color of the style, which has other ones for dark mode. */
export function styleColor(name: string): string {
  return getComputedStyle(root).getPropertyValue(`--${name}`).trim()
}

export function onColorSchemeChange(listener: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', listener)
}

export function onResize(element: PageElement, listener: () => void): void {
  new ResizeObserver(listener).observe(element)
}

export type Card = readonly [title: string, value: string, words: string]

/** Replaces a list of figures: each with a title, and a few words on it. */
export function fillCards(list: PageElement, cards: readonly Card[]): void {
  const items = cards.map(([title, value, words]) => {
    const figure = create('dd', '', create('b', '', value), create('span', '', words))
    return create('div', 'card', create('dt', '', title), figure)
  })
  list.replaceChildren(...items)
}

/** Replaces a table: a head of columns, and rows whose first cell names them. */
export function fillTable(
  table: PageElement,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const headCells = head.map((text, at) => heading(text, 'col', at === 0 ? '' : 'number'))
  const body = rows.map(([name = '', ...values]) =>
    create('tr', '', heading(name, 'row'), ...values.map((text) => create('td', 'number', text))),
  )
  table.replaceChildren(
    create('thead', '', create('tr', '', ...headCells)),
    create('tbody', '', ...body),
  )
}

function heading(text: string, scope: 'col' | 'row', className = ''): PageElement {
  const cell = create('th', className, text)
  cell.setAttribute('scope', scope)
  return cell
}
