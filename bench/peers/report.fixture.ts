// Turns and conditions as a comparison has them, made of known numbers.

import {
  FIGURE_NAMES,
  type FigureName,
  type PeersConditions,
  type TurnFigures,
  type TurnOutcome,
} from './report.ts'
import type { PeerName } from './servers.ts'

export const CONDITIONS: PeersConditions = {
  date: new Date(0),
  command: 'bun run bench:peers',
  seconds: 1_500,
  machine: {
    processor: 'A processor',
    cores: 2,
    memoryBytes: 24 * 1024 ** 3,
    kernel: 'linux 6.18 x64',
    openFilesLimit: 20_000,
  },
  ownNetwork: true,
  versions: {
    comet: 'comet 0.1.0',
    bun: '1.4.5',
    cc: 'cc 12',
    nginx: '1.22',
    nchan: null,
    libevent: '2.1.12',
    ...{ pushpin: '1.36.0', mosquitto: '2.0.11', socketIo: null, node: '20.20.2' },
  },
  rounds: 2,
  work: {
    connections: 15_000,
    messages: 300_000,
    ratePerSecond: 10_000,
    steadyMs: 10_000,
    publishers: 64,
  },
}

/** A turn in which every figure is `all` but for those that are named. */
export function turn(
  peer: PeerName,
  round: number,
  all: number,
  other: Partial<Record<FigureName, number | null>> = {},
): TurnOutcome {
  const figures = Object.fromEntries(FIGURE_NAMES.map((name) => [name, all]))
  return {
    peer,
    round,
    turn: {
      figures: { ...(figures as TurnFigures), ...other },
      counts: {
        sent: 1_000,
        received: 1_000,
        lost: 0,
        duplicated: 0,
        reordered: 0,
        untracked: 0,
        rejected: 0,
        unanswered: 0,
      },
      errors: {},
      streams: { failed: 0, closed: 0 },
    },
  }
}
