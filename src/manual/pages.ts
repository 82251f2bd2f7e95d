// The pages of the manual: a closed list, in the order in which they are listed. A page is an
// import, and a row here. Loaded only by those who show pages.

import { nearestTo } from '../core/nearest.ts'
import severalMachines from './several-machines.md' with { type: 'text' }

export interface ManualPage {
  /** As in `comet help NAME`, and as its file is called. */
  readonly name: string
  /** Its first line. */
  readonly title: string
  readonly summary: string
  /** The whole page, in Markdown. */
  readonly text: string
}

export const PAGES: readonly ManualPage[] = [
  page('several-machines', severalMachines, 'servers that share one log in Redis'),
]

export function pageNamed(name: string): ManualPage | undefined {
  return PAGES.find((each) => each.name === name)
}

/** The name that was meant, of a page or of these others. */
export function nearestPage(name: string, others: readonly string[] = []): string | undefined {
  return nearestTo(name, [...PAGES.map((each) => each.name), ...others])
}

function page(name: string, text: string, summary: string): ManualPage {
  const [, title] = /^# (.+)\n/.exec(text) ?? []
  if (title === undefined) throw new Error(`the page ${name} does not begin with a title`)
  return { name, title, summary, text }
}
