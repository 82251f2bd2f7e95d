// The parts of a browser that the library uses if they are there, typed here because the browser's
// own types would apply to the whole project.

interface Locks {
  request(
    name: string,
    options: { readonly steal?: boolean; readonly signal?: AbortSignal },
    whileHeld: () => unknown,
  ): Promise<unknown>
}

export interface Page {
  readonly location?: { readonly href: string }
  readonly document?: EventTarget & { readonly hidden: boolean }
  readonly navigator?: { readonly locks?: Locks }
  /** Throws in frames that may keep nothing. */
  readonly sessionStorage?: Record<string, string>
  addEventListener?: EventTarget['addEventListener']
}

export const page: Page = globalThis as unknown as Page

const KEY = 'comet'

/** The format that worked last in this tab, so that its next page need not try the others. */
export function formatOfBefore(): string | undefined {
  try {
    return page.sessionStorage?.[KEY]
  } catch {
    return undefined
  }
}

export function rememberFormat(format: string): void {
  try {
    if (page.sessionStorage) page.sessionStorage[KEY] = format
  } catch {
    // It is tried again.
  }
}
