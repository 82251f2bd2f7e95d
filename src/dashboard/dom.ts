// The little of a browser that the page uses, by name and type, and how elements are made and filled.
// The browser's own types would be those of the whole project. Text is only ever set as text.

export interface Box {
  textContent: string | null
  hidden: boolean
  disabled: boolean
  value: string
  checked: boolean
  className: string
  clientWidth: number
  readonly dataset: Record<string, string | undefined>
  readonly classList: { toggle(name: string, on: boolean): void }
  append(...parts: (Box | string)[]): void
  replaceChildren(...parts: (Box | string)[]): void
  setAttribute(name: string, value: string): void
  addEventListener(event: string, listener: (event: BoxEvent) => void): void
  focus(): void
}

export interface BoxEvent {
  preventDefault(): void
}

interface Query {
  addEventListener(event: 'change', listener: () => void): void
}

declare const document: {
  readonly documentElement: Box
  readonly hidden: boolean
  title: string
  getElementById(id: string): Box | null
  createElement(name: string): Box
  querySelectorAll(selector: string): Iterable<Box>
  addEventListener(event: string, listener: () => void): void
}
declare function getComputedStyle(of: Box): { getPropertyValue(name: string): string }
declare function matchMedia(query: string): Query
declare class ResizeObserver {
  constructor(listener: () => void)
  observe(box: Box): void
}

export const root = document.documentElement

/** An element that page.html has. */
export function byId(id: string): Box {
  const box = document.getElementById(id)
  if (box === null) throw new Error(`the page has no #${id}`)
  return box
}

export function all(selector: string): Iterable<Box> {
  return document.querySelectorAll(selector)
}

/** A new element with its text or parts. */
export function make(name: string, className: string, ...parts: (Box | string)[]): Box {
  const box = document.createElement(name)
  if (className !== '') box.className = className
  box.append(...parts)
  return box
}

/** Sets the text if it is another one: who reads it with other eyes is not to be told for nothing. */
export function say(box: Box, text: string): void {
  if (box.textContent !== text) box.textContent = text
}

export function setTitle(text: string): void {
  if (document.title !== text) document.title = text
}

export function isSeen(): boolean {
  return !document.hidden
}

export function onSeen(listener: () => void): void {
  document.addEventListener('visibilitychange', listener)
}

/** A color of the style, which has other ones in the dark. */
export function color(name: string): string {
  return getComputedStyle(root).getPropertyValue(`--${name}`).trim()
}

export function onColors(listener: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', listener)
}

export function onResize(box: Box, listener: () => void): void {
  new ResizeObserver(listener).observe(box)
}

/** Fills a table anew: a head of columns, and rows whose first cell names them. */
export function fillTable(
  table: Box,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const headCells = head.map((text, at) => {
    const cell = make('th', at === 0 ? '' : 'number', text)
    cell.setAttribute('scope', 'col')
    return cell
  })
  const body = rows.map((texts) => make('tr', '', ...texts.map(bodyCell)))
  table.replaceChildren(make('thead', '', make('tr', '', ...headCells)), make('tbody', '', ...body))
}

function bodyCell(text: string, at: number): Box {
  if (at > 0) return make('td', 'number', text)
  const cell = make('th', '', text)
  cell.setAttribute('scope', 'row')
  return cell
}
