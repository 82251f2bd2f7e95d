// What a setting of the table is made of, and the usual ways to want something of one. Which settings
// there are is in table.ts.

import { formatCount } from '../core/units.ts'
import type { Wish } from './need.ts'
import type { Key, Readings } from './readings.ts'

/** What a setting should be. */
export interface Want {
  /** For people, like `at least 512`. */
  readonly text: string
  readonly isMet: boolean
  /** The number to set; null if there is nothing to be set. */
  readonly value: number | null
}

/** One thing that may decide how many streams a machine holds; all about it is said here, once. */
export interface Setting {
  /** As sysctl(8) has it, or in words. */
  readonly name: string
  /** Of the numbers here. */
  readonly unit: string
  /** One line for the person who has to change it. */
  readonly why: string
  /** The number that counts; infinite if there is no limit, null if it is not known here. */
  readonly value: (readings: Readings, wish: Wish) => number | null
  /** The setting as a person reads it, where that is not its number alone. */
  readonly shown?: (readings: Readings, wish: Wish) => string
  /** What the number must be for a wish, never less for more streams; none where it bounds nothing. */
  readonly needs?: (wish: Wish, readings: Readings) => number
  /** What it should be, if that is not just what a wish needs. */
  readonly wants?: (readings: Readings, wish: Wish) => Want
  readonly format?: (value: number) => string
  /** The text to set for a value, where sysctl(8) can set it. */
  readonly sysctl?: (value: number, readings: Readings) => string
  /** What systemd calls it in a unit. */
  readonly unitLimit?: string
  /** What to do where no setting helps. */
  readonly cure?: string
  /** What the list of 2008 sets it to, and why nobody needs that any more. */
  readonly in2008?: { readonly value: string; readonly why: string }
}

/** A setting that is one to three numbers of the kernel, of which the last is the one that counts. */
export function kernel(
  name: Key,
  rest: Omit<Setting, 'name' | 'value'> & Partial<Setting>,
): Setting {
  return {
    name,
    value: ({ kernel }) => kernel.get(name)?.at(-1) ?? null,
    shown: ({ kernel }) => kernel.get(name)?.map(numberText).join(' ') ?? '',
    ...rest,
  }
}

/** One number of the kernel's, or 0 if it is not known. */
export function numberOf({ kernel }: Readings, name: Key): number {
  return kernel.get(name)?.[0] ?? 0
}

export const ANY: Want = { text: 'any', isMet: true, value: null }

export function atLeast(
  least: number,
  value: number | null,
  format: (value: number) => string = formatCount,
): Want {
  return {
    text: `at least ${format(least)}`,
    // What is not known does not keep anybody from trying.
    isMet: value === null || value >= least,
    value: least,
  }
}

/** The same of a setting that is several numbers. */
export function ofLast(want: Want): Want {
  return { ...want, text: `${want.text}, the last` }
}

/** What is beyond this is not exact, and a kernel's way to say that there is no limit. */
export function numberText(value: number): string {
  return value >= Number.MAX_SAFE_INTEGER ? 'no limit' : formatCount(value)
}
