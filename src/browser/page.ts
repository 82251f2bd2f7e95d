// The parts of a browser that the library uses if they are there, typed here because the browser's
// own types would apply to the whole project.

interface Locks {
  request(
    name: string,
    options: { readonly steal?: boolean; readonly signal?: AbortSignal },
    whileHeld: () => unknown,
  ): Promise<unknown>
}

export interface PageGlobals {
  readonly location?: { readonly href: string }
  readonly document?: EventTarget & { readonly hidden: boolean }
  readonly navigator?: { readonly locks?: Locks }
  /** Throws in frames that may keep nothing. */
  readonly sessionStorage?: Record<string, string>
  addEventListener?: EventTarget['addEventListener']
}

export const page = globalThis as unknown as PageGlobals
