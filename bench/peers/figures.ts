// What is measured of each server in each turn: the names, titles and units of the figures. Pure.

export const FIGURE_NAMES = [
  'grownPerStream',
  'residentPerStream',
  'kernelPerStream',
  'openedPerSecond',
  'deliveredPerSecond',
  'saturatedMicros',
  'serverCores',
  'genCores',
  'floodCores',
  'machineCores',
  'keptPerSecond',
  'p50Ms',
  'p99Ms',
  'p999Ms',
  'maxMs',
  'steadyMicros',
] as const
export type FigureName = (typeof FIGURE_NAMES)[number]

/** The figures of one turn; null for what could not be had. */
export type TurnFigures = Readonly<Record<FigureName, number | null>>

export interface FigureText {
  readonly title: string
  readonly unit: string
  /** Digits after the point that are worth reading. */
  readonly digits: number
  /** Which way is better; null where neither is, and no ratio says anything. */
  readonly better: 'less' | 'more' | null
}

const cores = (title: string): FigureText => ({ title, unit: 'cores', digits: 2, better: null })
const ms = (title: string, digits: number): FigureText => {
  return { title, unit: 'ms', digits, better: 'less' }
}
const bytes = (title: string): FigureText => ({ title, unit: 'bytes', digits: 0, better: 'less' })
const micros = (title: string): FigureText => ({ title, unit: 'µs', digits: 1, better: 'less' })

export const FIGURE_TEXTS: Readonly<Record<FigureName, FigureText>> = {
  grownPerStream: bytes('process memory a stream, growth'),
  residentPerStream: bytes('process memory a stream, all in'),
  kernelPerStream: bytes('kernel memory a stream, both ends'),
  openedPerSecond: { title: 'opened a second', unit: '', digits: 0, better: 'more' },
  deliveredPerSecond: { title: 'delivered a second', unit: '', digits: 0, better: 'more' },
  saturatedMicros: micros("server's processor time a delivery, as fast as they go"),
  serverCores: cores('cores used by the server'),
  genCores: cores('by the generator'),
  floodCores: cores('by the client'),
  machineCores: cores('by the whole machine'),
  keptPerSecond: { title: 'messages a second kept', unit: '', digits: 0, better: null },
  p50Ms: ms('p50', 2),
  p99Ms: ms('p99', 1),
  p999Ms: ms('p99.9', 1),
  maxMs: ms('max', 1),
  steadyMicros: micros("server's processor time a delivery, at that rate"),
}
