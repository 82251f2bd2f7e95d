// The result of a comparison: its figures, and its JSON, whose fields are stable. The tables are
// made from nothing else.

import { type Static, Type } from '@sinclair/typebox'
import type { FigureSpec } from '../harness/case.ts'
import type { Conditions, Versions } from '../harness/machine.ts'
import { NumberOrNull, ReportHead, Spread, spreadOf, TextOrNull } from '../harness/report.ts'
import type { PackageVersions } from './requirements.ts'
import { FLOOR, PEERS, type PeerName, type Work } from './servers.ts'
import { sumOfCounts, sumOfErrors, type Turn } from './turn.ts'

interface PeerFigure extends Omit<FigureSpec, 'target'> {
  /** Which way is better; null where neither is, and a ratio says nothing. */
  readonly better: 'less' | 'more' | null
}

const cores = (title: string): PeerFigure => ({ title, unit: 'cores', digits: 2, better: null })
const ms = (title: string, digits: number): PeerFigure => {
  return { title, unit: 'ms', digits, better: 'less' }
}
const bytes = (title: string): PeerFigure => ({ title, unit: 'bytes', digits: 0, better: 'less' })
const micros = (title: string): PeerFigure => ({ title, unit: 'µs', digits: 1, better: 'less' })

export const FIGURES = {
  grownPerStream: bytes('process memory a stream, growth'),
  residentPerStream: bytes('process memory a stream, all in'),
  kernelPerStream: bytes('kernel memory a stream, both ends'),
  openedPerSecond: { title: 'opened a second', unit: '', digits: 0, better: 'more' },
  deliveredPerSecond: { title: 'delivered a second', unit: '', digits: 0, better: 'more' },
  saturatedMicros: micros("server's CPU time a delivery, as fast as possible"),
  serverCores: cores('cores used by the server'),
  genCores: cores('by the generator'),
  floodCores: cores('by the client'),
  machineCores: cores('by the whole machine'),
  keptPerSecond: { title: 'messages a second kept', unit: '', digits: 0, better: null },
  p50Ms: ms('p50', 2),
  p99Ms: ms('p99', 1),
  p999Ms: ms('p99.9', 1),
  maxMs: ms('max', 1),
  steadyMicros: micros("server's CPU time a delivery, at that rate"),
} as const satisfies Record<string, PeerFigure>

export type FigureName = keyof typeof FIGURES
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[]

/** The figures of one turn; null for what is not available. */
export type TurnFigures = Readonly<Record<FigureName, number | null>>

const Count = Type.Integer({ minimum: 0 })
const MaybeSpread = Type.Union([Spread, Type.Null()])

const ReportFigure = Type.Object({
  figure: Type.String({ description: 'Stable.' }),
  title: Type.String({ description: 'For people; may change.' }),
  unit: Type.String(),
  digits: Type.Integer({ description: 'Digits after the point that are worth reading.' }),
  better: Type.Union([Type.Literal('less'), Type.Literal('more'), Type.Null()]),
  value: MaybeSpread,
  ratio: Type.Union([Spread, Type.Null()], {
    description: 'To the floor of the same round; null for the floor and without it.',
  }),
  runs: Type.Array(NumberOrNull, {
    description: 'Every round, in order; null where there is none.',
  }),
})
export type ReportFigure = Static<typeof ReportFigure>

const ReportPeer = Type.Object({
  name: Type.String({ description: 'Stable.' }),
  title: Type.String(),
  publishing: Type.String({ description: 'How messages are sent to it.' }),
  client: Type.Optional(Type.String({ description: 'The program that held the streams.' })),
  figures: Type.Array(ReportFigure),
  saturatedBy: Type.String({ description: 'While messages were sent as fast as possible.' }),
  counts: Type.Object(
    {
      sent: Count,
      received: Count,
      lost: Count,
      duplicated: Count,
      reordered: Count,
      untracked: Count,
      rejected: Count,
      unanswered: Count,
    },
    { description: 'Messages of all rounds, those before anything is measured included.' },
  ),
  errors: Type.Record(Type.String(), Count, {
    description: 'Requests of the generator that failed, by kind.',
  }),
  streams: Type.Object({ failed: Count, closed: Count }),
  failures: Type.Array(Type.Object({ round: Count, why: Type.String() }), {
    description: 'Turns that broke off, rounds counted from 1.',
  }),
})
export type ReportPeer = Static<typeof ReportPeer>

export const PeersReport = Type.Object({
  ...ReportHead,
  seconds: Type.Number({ description: 'How long all of it took.' }),
  ownNetwork: Type.Boolean({
    description: 'In a network without connections in TIME_WAIT, of which the kernel keeps memory.',
  }),
  versions: Type.Object({
    comet: Type.String(),
    bun: Type.String(),
    cc: TextOrNull,
    nginx: TextOrNull,
    nchan: TextOrNull,
    libevent: TextOrNull,
    // Not in the reports from before these were compared.
    ...{ pushpin: Type.Optional(TextOrNull), mosquitto: Type.Optional(TextOrNull) },
    ...{ socketIo: Type.Optional(TextOrNull), node: Type.Optional(TextOrNull) },
  }),
  rounds: Type.Integer(),
  work: Type.Object({
    connections: Count,
    messages: Count,
    ratePerSecond: Type.Number(),
    steadyMs: Type.Number(),
    publishers: Count,
  }),
  peers: Type.Array(ReportPeer),
})
export type PeersReport = Static<typeof PeersReport>

/** What became of one turn of one server. */
export type TurnOutcome =
  | { readonly peer: PeerName; readonly round: number; readonly turn: Turn }
  | { readonly peer: PeerName; readonly round: number; readonly why: string }

export interface PeersConditions extends Conditions {
  readonly versions: Versions & PackageVersions
  readonly seconds: number
  readonly ownNetwork: boolean
  readonly rounds: number
  readonly work: Work
}

export function peersReport(
  conditions: PeersConditions,
  peers: readonly PeerName[],
  outcomes: readonly TurnOutcome[],
): PeersReport {
  const { date, versions, ...rest } = conditions
  return {
    schema: 1,
    ...rest,
    date: date.toISOString(),
    versions: { ...versions },
    peers: peers.map((name) => reportPeer(name, conditions, outcomes)),
  }
}

function reportPeer(
  name: PeerName,
  { rounds, machine }: PeersConditions,
  outcomes: readonly TurnOutcome[],
): ReportPeer {
  const own = outcomes.filter(({ peer }) => peer === name)
  const turns = own.flatMap((of) => ('turn' in of ? [of.turn] : []))
  const runs = (of: PeerName, figure: FigureName) => runsOf(outcomes, rounds, of, figure)
  const figures = FIGURE_NAMES.map((figure): ReportFigure => {
    const values = runs(name, figure)
    const isCompared = name !== FLOOR && FIGURES[figure].better !== null
    const ratio = spreadOf(isCompared ? ratiosTo(runs(FLOOR, figure), values) : [])
    return { figure, ...FIGURES[figure], value: spreadOf(values), ratio, runs: values }
  })
  const used = (figure: FigureName) => spreadOf(runs(name, figure))?.median ?? 0
  const usedCores = {
    server: used('serverCores'),
    gen: used('genCores'),
    flood: used('floodCores'),
    machine: used('machineCores'),
  }
  const streams = (of: 'failed' | 'closed') =>
    turns.reduce((sum, turn) => sum + turn.streams[of], 0)
  return {
    name,
    ...PEERS[name],
    figures,
    saturatedBy: turns.length === 0 ? 'not measured' : saturatedBy(usedCores, machine.cores),
    counts: sumOfCounts(turns.map(({ counts }) => counts)),
    errors: sumOfErrors(turns.map(({ errors }) => errors)),
    streams: { failed: streams('failed'), closed: streams('closed') },
    failures: own.flatMap((of) => ('why' in of ? [{ round: of.round + 1, why: of.why }] : [])),
  }
}

/** One value a round; null for a turn that broke off or has no such figure. */
function runsOf(
  outcomes: readonly TurnOutcome[],
  rounds: number,
  peer: PeerName,
  figure: FigureName,
): (number | null)[] {
  return Array.from({ length: rounds }, (_, round) => {
    const found = outcomes.find((of) => of.peer === peer && of.round === round)
    const value = found !== undefined && 'turn' in found ? found.turn.figures[figure] : null
    if (value === null || !Number.isFinite(value)) return null
    // Two digits more than are shown, so that ratios do not suffer.
    return Number(value.toFixed(FIGURES[figure].digits + 2))
  })
}

/**
 * How many times as much as the floor, round by round: both sides of a ratio met the same machine.
 *
 * @param values one a round, as `floor` has
 */
export function ratiosTo(
  floor: readonly (number | null)[],
  values: readonly (number | null)[],
): (number | null)[] {
  return values.map((value, round) => {
    const below = floor[round] ?? null
    return value === null || below === null || below <= 0 ? null : value / below
  })
}

/**
 * Of a core, for a process with one thread at work, which sleeps a little even at its limit; and of
 * all cores of the machine, where the start of the generator, on one core, is in the figure.
 */
const BUSY_ABOVE = 0.85

/** What was used fully while messages were sent as fast as possible, in words. */
export function saturatedBy(
  used: Readonly<Record<'server' | 'gen' | 'flood' | 'machine', number>>,
  machineCores: number,
): string {
  const names: string[] = []
  if (used.server >= BUSY_ABOVE) names.push('the server')
  if (used.gen >= BUSY_ABOVE) names.push('the generator')
  if (used.flood >= BUSY_ABOVE) names.push('the client')
  if (used.machine >= machineCores * BUSY_ABOVE) names.push('the machine')
  return names.length === 0 ? 'waiting for each other' : names.join(', ')
}

/** Did every turn end, and every message arrive once and in order? */
export function isFlawless({ peers }: PeersReport): boolean {
  return peers.every(({ counts, streams, failures }) => {
    const { lost, duplicated, reordered, untracked, rejected, unanswered } = counts
    const faults = [lost, duplicated, reordered, untracked, rejected, unanswered]
    return [...faults, streams.failed, streams.closed, failures.length].every((of) => of === 0)
  })
}
