// A run of a million as it might have been, second by second, for tests of what is made of it.

import type { Measured } from './figures.ts'
import { type Flow, type Memory, newRecord } from './record.ts'
import type { Sample } from './sampler.ts'

const CONNECTIONS = 1_000_000
const OPENING_SECONDS = 90
const SECONDS = 1_000

const CPU = { serverParent: 20, serverWorkers: 90, flood: 80, gen: 12, bench: 6, machine: 240 }

function memory(bytes: number): Memory {
  const byRole = {
    serverParent: bytes / 50,
    serverWorkers: bytes,
    flood: bytes / 4,
    gen: 0,
    bench: 9e7,
  }
  return { ...byRole, anonymous: byRole }
}

export function flowOf(address: 'to' | 'subject', rate: number, changes: Partial<Flow> = {}): Flow {
  const delivered = rate * (address === 'to' ? 600 : 240)
  return {
    address,
    rate,
    gen: {
      sent: delivered,
      rejected: 0,
      delivered,
      unpromised: 0,
      unknown: 0,
      perSecond: rate,
      seconds: 600,
      wantedPerSecond: rate,
      unanswered: 0,
      retried: 0,
      repeated: 0,
      errors: {},
      generators: { first: 65_536, count: 2 },
    },
    received: delivered,
    duplicated: 0,
    reordered: 0,
    untracked: 0,
    closed: 0,
    givenUp: 0,
    latency: { p50Ms: 1.2, p99Ms: 7.4, p999Ms: 31, maxMs: 88, worstP99Ms: 22 },
    deliveriesPerSecond: address === 'to' ? rate : rate * 16,
    cpuSeconds: CPU,
    held: true,
    why: null,
    ...changes,
  }
}

function sampleAt(seconds: number): Sample {
  const opened = Math.round(Math.min(1, Math.max(0, (seconds - 4) / OPENING_SECONDS)) * CONNECTIONS)
  const flowing = seconds > 130
  const wave = 1 + 0.2 * Math.sin(seconds / 7)
  return {
    seconds: seconds + 0.013,
    opened,
    closed: 0,
    failed: 0,
    openedPerSecond: opened > 0 && opened < CONNECTIONS ? 11_111 * wave : 0,
    messages: flowing ? Math.round((seconds - 130) * 16_666) : 0,
    messagesPerSecond: flowing ? 16_666 * wave : 0,
    p50Ms: flowing ? 1.234 * wave : null,
    p99Ms: flowing ? 7.4321 * wave : null,
    p999Ms: flowing ? 31.987 * wave : null,
    maxMs: flowing ? 88.12345 * wave : null,
    takenBytes: 250_123_456 + opened * 11_687.1234,
    kernelBytes: 20_123_456 + opened * 9_801.4321,
    pageCacheBytes: 120_123_456,
    tcpSockets: 2 * opened,
    tcpBytes: flowing ? 1_234_567 : 0,
    machineCores: 1.8765,
    stolenCores: 0.0123,
    serverParentBytes: 181_123_456,
    serverWorkersBytes: 90_123_456 + opened * 512.321,
    floodBytes: 60_123_456 + opened * 301.123,
    genBytes: flowing ? 51_123_456 : 0,
    benchBytes: 92_123_456,
    serverParentCores: 0.1234,
    serverWorkersCores: 0.7654,
    floodCores: 0.6543,
    genCores: flowing ? 0.0987 : 0,
    benchCores: 0.0321,
  }
}

export function measuredMillion(): Measured {
  const steady = flowOf('to', 16_666)
  const subjectSearch = [
    flowOf('subject', 2_000),
    flowOf('subject', 4_000),
    flowOf('subject', 5_000, { held: false, why: 'the rate was not kept: 4321 messages/s' }),
  ]
  const all = [steady, ...subjectSearch].reduce((sum, { received }) => sum + received, 0)
  const phases = [
    { name: 'start', fromSeconds: 0, toSeconds: 4.2 },
    { name: 'open', fromSeconds: 4.2, toSeconds: 94.3 },
    { name: 'silent', fromSeconds: 99, toSeconds: 129 },
    { name: 'to one user', fromSeconds: 130, toSeconds: 731 },
    { name: 'to friends, 2,000/s', fromSeconds: 732, toSeconds: 749 },
    { name: 'to friends, 4,000/s', fromSeconds: 750, toSeconds: 768 },
    { name: 'to friends, 5,000/s', fromSeconds: 769, toSeconds: 790 },
    { name: 'close', fromSeconds: 960, toSeconds: 1_000 },
  ]
  const record = {
    ...newRecord(),
    prepared: {
      users: CONNECTIONS,
      subscriptions: 14_999_880,
      generateSeconds: 14,
      loadSeconds: 9.8,
    },
    cacheDropped: true,
    startSeconds: 4.2,
    serverWorkers: 54,
    floodProcesses: 52,
    emptyMemory: memory(130e6),
    opening: { seconds: 90, cpuSeconds: CPU },
    held: {
      open: CONNECTIONS,
      memory: memory(0.9e9),
      takenBytes: 11.4e9,
      kernelBytes: 9.8e9,
      pageCacheBytes: 1e8,
      fallBytes: 11.5e9,
    },
    silence: {
      ...{ seconds: 300, openBefore: CONNECTIONS, openAfter: CONNECTIONS },
      closed: { client: 0, slow: 0, drained: 0, lost: 0 },
      ...{ serverCores: 0.05, floodCores: 0.01 },
    },
    steady,
    openAfterSteady: CONNECTIONS,
    subjectSearch,
    flood: {
      behaviour: { reopened: 0, churned: 0, slow: 0, slowEnded: 0, vanished: 0 },
      lateness: { connections: 0, maxMs: 0 },
      examples: [],
      comparison: null,
      server: null,
      cursors: null,
      resume: null,
      storm: null,
      client: { processes: 1, coresMax: 0.5, loopLateMaxMs: 2, busySeconds: 0 },
      connections: { wanted: CONNECTIONS, opened: CONNECTIONS, failed: 0, closed: 0 },
      connect: { perSecond: 11_111, p50Ms: 9, p99Ms: 31, maxMs: 400 },
      received: {
        chunks: all + CONNECTIONS,
        bytes: all * 50,
        messages: all,
        duplicated: 0,
        reordered: 0,
        untracked: 0,
      },
      latency: { p50Ms: 1, p99Ms: 9, p999Ms: 40, maxMs: 900 },
      errors: {},
    },
    serverExitCode: 0,
    phases,
  }
  const samples = Array.from({ length: SECONDS }, (_, at) => sampleAt(at + 1))
  return { connections: CONNECTIONS, record, samples }
}
