// The result of a comparison, for programs. The schema is the one source for the JSON's fields; they
// are stable, and the tables are made of nothing else.

import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Machine } from '../harness/machine.ts'
import { FIGURE_NAMES, FIGURE_TEXTS, type FigureName } from './figures.ts'
import { sumOfCounts, sumOfErrors } from './flow.ts'
import type { PeerVersions } from './installed.ts'
import { FLOOR, PEER_TEXTS, type PeerName } from './names.ts'
import type { Work } from './options.ts'
import { ratiosTo, saturatedBy, spreadOf } from './statistics.ts'
import type { Turn } from './turn.ts'

const Count = Type.Integer({ minimum: 0 })
const Nullable = Type.Union([Type.Number(), Type.Null()])
const Text = Type.Union([Type.String(), Type.Null()])
const Spread = Type.Object({ median: Type.Number(), min: Type.Number(), max: Type.Number() })
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
  runs: Type.Array(Nullable, { description: 'Every round, in order; null where there is none.' }),
})
export type ReportFigure = Static<typeof ReportFigure>

const ReportPeer = Type.Object({
  name: Type.String({ description: 'Stable.' }),
  title: Type.String(),
  publishing: Type.String({ description: 'How messages are sent to it.' }),
  figures: Type.Array(ReportFigure),
  saturatedBy: Type.String({ description: 'While messages went as fast as they could.' }),
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
  schema: Type.Literal(1),
  date: Type.String({ description: 'When it began, ISO 8601.' }),
  command: Type.String({ description: 'How to repeat it, at the commit of `versions.comet`.' }),
  seconds: Type.Number({ description: 'How long all of it took.' }),
  machine: Type.Object({
    processor: Type.String(),
    cores: Type.Integer(),
    memoryBytes: Type.Integer(),
    kernel: Type.String(),
    openFilesLimit: Type.Integer(),
  }),
  ownNetwork: Type.Boolean({
    description: 'In a network without connections in TIME_WAIT, of which the kernel keeps memory.',
  }),
  versions: Type.Object({
    comet: Type.String(),
    bun: Type.String(),
    cc: Text,
    nginx: Text,
    nchan: Text,
    libevent: Text,
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

export interface Conditions {
  readonly date: Date
  readonly command: string
  readonly seconds: number
  readonly machine: Machine
  readonly ownNetwork: boolean
  readonly versions: PeerVersions
  readonly rounds: number
  readonly work: Work
}

export function peersReport(
  conditions: Conditions,
  peers: readonly PeerName[],
  outcomes: readonly TurnOutcome[],
): PeersReport {
  const { date, machine, versions, work, ...rest } = conditions
  return {
    schema: 1,
    ...rest,
    date: date.toISOString(),
    machine: { ...machine },
    versions: { ...versions },
    work: { ...work },
    peers: peers.map((name) => reportPeer(name, conditions, outcomes)),
  }
}

function reportPeer(
  name: PeerName,
  { rounds, machine }: Conditions,
  outcomes: readonly TurnOutcome[],
): ReportPeer {
  const own = outcomes.filter(({ peer }) => peer === name)
  const turns = own.flatMap((of) => ('turn' in of ? [of.turn] : []))
  const runs = (of: PeerName, figure: FigureName) => runsOf(outcomes, rounds, of, figure)
  const figures = FIGURE_NAMES.map((figure): ReportFigure => {
    const values = runs(name, figure)
    const compared = name !== FLOOR && FIGURE_TEXTS[figure].better !== null
    const ratios = compared ? ratiosTo(runs(FLOOR, figure), values) : []
    return {
      figure,
      ...FIGURE_TEXTS[figure],
      value: spreadOf(values),
      ratio: spreadOf(ratios),
      runs: values,
    }
  })
  const used = (figure: FigureName) => spreadOf(runs(name, figure))?.median ?? 0
  const cores = {
    server: used('serverCores'),
    gen: used('genCores'),
    flood: used('floodCores'),
    machine: used('machineCores'),
  }
  const streams = (of: 'failed' | 'closed') =>
    turns.reduce((sum, turn) => sum + turn.streams[of], 0)
  return {
    name,
    ...PEER_TEXTS[name],
    figures,
    saturatedBy: turns.length === 0 ? 'not measured' : saturatedBy(cores, machine.cores),
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
    return Number(value.toFixed(FIGURE_TEXTS[figure].digits + 2))
  })
}

/** Did every turn end, and everything sent arrive once and in order? */
export function isFlawless({ peers }: PeersReport): boolean {
  return peers.every(({ counts, streams, failures }) => {
    const { lost, duplicated, reordered, untracked, rejected, unanswered } = counts
    const faults = [lost, duplicated, reordered, untracked, rejected, unanswered]
    return [...faults, streams.failed, streams.closed, failures.length].every((of) => of === 0)
  })
}

/** A result that was written before; undefined if there is none, or of another kind. */
export async function readReport(path: string): Promise<PeersReport | undefined> {
  const file = Bun.file(path)
  if (!(await file.exists())) return undefined
  const value: unknown = await file.json()
  return Value.Check(PeersReport, value) ? value : undefined
}
