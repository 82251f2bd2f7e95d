// Whether nodes can share a Redis as it is configured, and what should be changed. Pure.

import { isLoopbackHost, parseHost } from '../core/address.ts'
import { busLimits, redisLimits } from '../core/bus-limits.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { doctorLimits } from '../core/tool-limits.ts'
import { formatBytes, formatMs, formatQuantity, writtenBytes } from '../core/units.ts'
import type { RedisFacts, ServerFacts } from './redis-facts.ts'
import type { Greeting, GreetingStep } from './redis-greeting.ts'
import { NEEDED_COMMANDS, type Rights, rightsRule } from './redis-rights.ts'

export const REDIS_STATES = ['ok', 'advice', 'wrong', 'unknown'] as const

/** As it should be, usable but could be better, not usable, or not known. */
export type RedisState = (typeof REDIS_STATES)[number]

export interface RedisFinding {
  readonly name: string
  readonly state: RedisState
  readonly is: string
  readonly shouldBe: string
  readonly why: string
  /** What to do about it; null where there is nothing to do. */
  readonly cure: string | null
}

/** What the nodes need from it. */
export interface RedisDemand {
  readonly address: RedisAddress
  readonly prefix: string
  readonly historyBytes: number
}

export interface RedisAssessment {
  readonly demand: RedisDemand
  readonly findings: readonly RedisFinding[]
  readonly isUsable: boolean
}

export function assessRedis(facts: RedisFacts, demand: RedisDemand): RedisAssessment {
  const findings = findingsOf(facts, demand)
  return { demand, findings, isUsable: findings.every(({ state }) => state !== 'wrong') }
}

function findingsOf({ greeting, server }: RedisFacts, demand: RedisDemand): RedisFinding[] {
  const { address, prefix } = demand
  if (!greeting.ok) {
    const { step, why: is, cure } = greeting.why
    const reached = STEPS.slice(0, STEPS.indexOf(step))
    const failed = { ...STEP[step], name: step, state: 'wrong', is, cure } as const
    return [...reached.map((one) => reachedStep(one, null, address)), failed]
  }
  const steps = STEPS.map((step) => reachedStep(step, greeting.value, address))
  if (server === null) return [...steps, rightsOf({ ...NO_RIGHTS, forbidden: ['info'] }, demand)]
  if (!server.ok) {
    const session = { name: 'session', state: 'wrong', is: 'refused', shouldBe: 'open' } as const
    return [...steps, { ...session, why: server.why, cure: 'see what Redis says' }]
  }
  const facts = server.value
  return [
    ...steps,
    versionOf(facts),
    roleOf(facts),
    clusterOf(facts),
    ...(facts.rights === null
      ? []
      : [rightsOf(facts.rights, demand), writesOf(facts.rights, prefix)]),
    ...persistenceOf(facts),
    evictionOf(facts),
    memoryOf(facts, demand),
    buffersOf(facts),
    replicasOf(facts),
    latencyOf(facts),
    clockOf(facts),
  ]
}

const STEPS: readonly GreetingStep[] = ['connection', 'TLS', 'protocol', 'login']

const STEP: Readonly<Record<GreetingStep, Pick<RedisFinding, 'shouldBe' | 'why'>>> = {
  connection: { shouldBe: 'open', why: 'each node keeps two of them open' },
  TLS: { shouldBe: 'yes', why: 'without it others on the way can read passwords and messages' },
  protocol: { shouldBe: 'Redis or Valkey', why: 'the nodes share a stream of Redis' },
  login: {
    shouldBe: 'with a password',
    why: 'without one, anyone who reaches it can read and change what is there',
  },
}

const NO_RIGHTS: Rights = { forbidden: [], hasKeys: true, writeError: null }

/** @param greeting null before there was one */
function reachedStep(
  step: GreetingStep,
  greeting: Greeting | null,
  address: RedisAddress,
): RedisFinding {
  const finding = { name: step, state: 'ok', ...STEP[step], cure: null } as const
  if (step === 'connection') return { ...finding, is: 'open' }
  if (step === 'protocol') {
    return { ...finding, is: greeting?.server?.has('valkey_version') ? 'Valkey' : 'Redis' }
  }
  const [isGuarded, is, cure] =
    step === 'TLS'
      ? [
          address.isTls,
          address.isTls ? 'yes' : 'no',
          'a tls-port in redis.conf, and rediss:// in --bus',
        ]
      : [greeting?.asksForPassword === true, loginText(address, greeting), GIVE_PASSWORD]
  if (isGuarded) return { ...finding, is }
  // No other machine is on the way, or reaches it.
  const isHere = isLoopbackHost(parseHost(address.host) ?? address.host)
  if (isHere) return { ...finding, is, shouldBe: 'any on this machine' }
  return { ...finding, is, state: 'advice', cure }
}

const GIVE_PASSWORD =
  'requirepass in redis.conf, so that nobody is let in without, and --bus-password-file'

function loginText({ user, password }: RedisAddress, greeting: Greeting | null): string {
  if (password === null) return 'without a password'
  const own = `as ${user ?? 'default'}`
  return greeting?.asksForPassword === true ? own : `${own}, others without a password`
}

function versionOf({ product, version }: ServerFacts): RedisFinding {
  const { versionMin } = redisLimits
  const isOld = Number.parseInt(version, 10) < versionMin
  return {
    name: 'version',
    state: isOld ? 'wrong' : 'ok',
    is: `${product} ${version}`,
    shouldBe: `at least ${versionMin}`,
    why: 'streams of older ones lack what the log needs',
    cure: isOld ? 'a newer Redis or Valkey' : null,
  }
}

function roleOf({ isMaster, isLoading, info }: ServerFacts): RedisFinding {
  const master = `${info.get('master_host')}:${info.get('master_port')}`
  const finding = { name: 'role', shouldBe: 'master', why: 'a replica takes no messages' } as const
  if (!isMaster) {
    const cure = `give its master in --bus, redis://${master}`
    return { ...finding, state: 'wrong', is: `replica of ${master}`, cure }
  }
  if (!isLoading) return { ...finding, state: 'ok', is: 'master', cure: null }
  return { ...finding, state: 'wrong', is: 'master, loading', cure: 'wait until it has its data' }
}

function clusterOf({ info }: ServerFacts): RedisFinding {
  const enabled = info.get('cluster_enabled')
  const isCluster = enabled === '1' || info.get('redis_mode') === 'cluster'
  const isKnown = enabled !== undefined || info.has('redis_mode')
  return {
    name: 'cluster mode',
    state: isCluster ? 'wrong' : isKnown ? 'ok' : 'unknown',
    is: isCluster ? 'on' : isKnown ? 'off' : NOT_KNOWN,
    shouldBe: 'off',
    why: 'there is one log, which a cluster would not share out, and scripts use several keys',
    cure: isCluster ? 'a Redis without cluster-enabled' : null,
  }
}

const NOT_KNOWN = 'not known'

function rightsOf({ forbidden, hasKeys }: Rights, { address, prefix }: RedisDemand): RedisFinding {
  const lacks = [...(hasKeys ? [] : [`keys ${prefix}*`]), ...forbidden]
  const isWrong = lacks.length > 0
  return {
    name: 'rights of the user',
    state: isWrong ? 'wrong' : 'ok',
    is: isWrong ? `not ${lacks.join(', ')}` : `all ${NEEDED_COMMANDS.length} commands`,
    shouldBe: 'what the bus runs',
    why: `tried on a key that begins with ${prefix}`,
    cure: isWrong ? rightsRule(address, prefix) : null,
  }
}

function writesOf({ writeError, hasKeys, forbidden }: Rights, prefix: string): RedisFinding {
  const isTried = hasKeys && !forbidden.includes('set')
  const code = writeError?.split(' ')[0] ?? ''
  return {
    name: 'writes',
    state: writeError !== null ? 'wrong' : isTried ? 'ok' : 'unknown',
    is: writeError !== null ? `refused, ${code}` : isTried ? 'taken' : NOT_KNOWN,
    shouldBe: 'taken',
    why: writeError ?? `one key that begins with ${prefix}, which Redis forgets in a minute`,
    cure: writeError === null ? null : 'see what Redis says',
  }
}

function persistenceOf({ info, config }: ServerFacts): RedisFinding[] {
  const name = 'append-only file'
  const enabled = info.get('aof_enabled')
  const finding = { name, shouldBe: 'on', cure: null } as const
  if (enabled === undefined) {
    return [
      { ...finding, state: 'unknown', is: NOT_KNOWN, why: 'without it a kill loses messages' },
    ]
  }
  if (enabled === '1') {
    const isFailing = info.get('aof_last_write_status') === 'err'
    const on = { ...finding, why: 'a kill loses nothing that was answered' }
    const first: RedisFinding = isFailing
      ? { ...on, state: 'wrong', is: 'on, write failed', cure: 'make room on its disk' }
      : { ...on, state: 'ok', is: 'on' }
    return [first, syncOf(config?.get('appendfsync'))]
  }
  const save = config?.get('save')
  const [is, why] =
    save === undefined
      ? ['off', 'a kill or restart loses everything that no snapshot has']
      : save === ''
        ? ['off, no snapshots', 'a kill or restart loses all messages, and who follows whom']
        : ['off, snapshots only', lostText(info)]
  const cure = 'redis-cli CONFIG SET appendonly yes, and the same in redis.conf'
  return [{ ...finding, state: 'advice', is, why, cure }]
}

function lostText(info: ServerFacts['info']): string {
  const changes = formatQuantity(Number(info.get('rdb_changes_since_last_save') ?? 0), 'change')
  return `a kill loses all since the last snapshot, which would now be ${changes}`
}

function syncOf(sync: string | undefined): RedisFinding {
  const isFine = sync === 'everysec' || sync === 'always'
  return {
    name: 'appendfsync',
    state: sync === undefined ? 'unknown' : isFine ? 'ok' : 'advice',
    is: sync ?? NOT_KNOWN,
    shouldBe: 'everysec or always',
    why: 'a power cut loses the last second by everysec, and half a minute by no',
    cure:
      sync === undefined || isFine
        ? null
        : 'redis-cli CONFIG SET appendfsync everysec, and the same in redis.conf',
  }
}

function evictionOf({ info }: ServerFacts): RedisFinding {
  const policy = info.get('maxmemory_policy')
  const finding = {
    name: 'maxmemory-policy',
    is: policy ?? NOT_KNOWN,
    shouldBe: 'noeviction',
    why: 'any other removes keys of the log and of who follows whom when memory is short',
  }
  if (policy === undefined) return { ...finding, state: 'unknown', cure: null }
  if (policy === 'noeviction') return { ...finding, state: 'ok', cure: null }
  const cure = 'redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf'
  // Without a limit memory is never short.
  return { ...finding, state: info.get('maxmemory') === '0' ? 'advice' : 'wrong', cure }
}

/** With the messages there, and without the log that is there already. */
function memoryOf({ info, logBytes }: ServerFacts, { historyBytes }: RedisDemand): RedisFinding {
  const maxText = info.get('maxmemory')
  const used = Number(info.get('used_memory') ?? Number.NaN)
  const why = `now ${formatBytes(used)}, and the messages of ${writtenBytes(historyBytes)}; who follows whom comes on top`
  const finding = { name: 'maxmemory', why, cure: null }
  if (maxText === undefined || Number.isNaN(used)) {
    return { ...finding, state: 'unknown', is: NOT_KNOWN, shouldBe: 'any' }
  }
  // As if it held nothing, and as if all were the log.
  const most = used - (logBytes ?? 0) + historyBytes * doctorLimits.memoryFactor
  const least = logBytes === null ? historyBytes * doctorLimits.memoryFactor : most
  const shouldBe = `at least ${formatBytes(most)}`
  const system = Number(info.get('total_system_memory') ?? 0)
  const max = Number(maxText)
  if (max === 0) {
    const isTight = system > 0 && system < most
    const is = `no limit${system > 0 ? ` of ${formatBytes(system)}` : ''}`
    const cure = isTight ? 'more memory, or a smaller --history' : null
    return { ...finding, state: isTight ? 'advice' : 'ok', is, shouldBe, cure }
  }
  const is = formatBytes(max)
  if (max >= most) return { ...finding, state: 'ok', is, shouldBe }
  if (max >= least) return { ...finding, state: 'unknown', is, shouldBe }
  const cure = `a maxmemory of ${formatBytes(most)} or more, or a smaller --history`
  return { ...finding, state: 'wrong', is, shouldBe, cure }
}

/** What a reader that has fallen behind is sent at once. */
const ANSWER_BYTES = busLimits.readEntries * busLimits.batchBytesMax

function buffersOf({ config }: ServerFacts): RedisFinding {
  const setting = 'client-output-buffer-limit'
  const [, hardText, softText] = /\bnormal (\d+) (\d+)/.exec(config?.get(setting) ?? '') ?? []
  const finding = {
    name: setting,
    shouldBe: `at least ${formatBytes(ANSWER_BYTES)}, or 0`,
    why: 'of normal clients: a server that has fallen behind is sent so much at once',
  }
  if (hardText === undefined || softText === undefined) {
    return { ...finding, state: 'unknown', is: NOT_KNOWN, cure: null }
  }
  const limits = [Number(hardText), Number(softText)].filter((bytes) => bytes > 0)
  const lowest = Math.min(...limits)
  if (limits.length === 0) return { ...finding, state: 'ok', is: '0, no limit', cure: null }
  const is = formatBytes(lowest)
  if (lowest >= ANSWER_BYTES) return { ...finding, state: 'ok', is, cure: null }
  const cure = `redis-cli CONFIG SET ${setting} 'normal 0 0 0', and the same in redis.conf`
  return { ...finding, state: 'advice', is, cure }
}

function replicasOf({ info, config, isMaster }: ServerFacts): RedisFinding {
  const count = Number(info.get('connected_slaves') ?? Number.NaN)
  const leastText = config?.get('min-replicas-to-write')
  const least = Number(leastText ?? 0)
  const finding = {
    name: 'replicas',
    shouldBe: least > 0 ? `at least ${least}` : 'any',
    why: 'without one, the log and who follows whom end with its disk',
  }
  if (Number.isNaN(count)) return { ...finding, state: 'unknown', is: NOT_KNOWN, cure: null }
  const is = `${count}, min-replicas-to-write ${leastText ?? NOT_KNOWN}`
  if (!isMaster || least <= count) return { ...finding, state: 'ok', is, cure: null }
  const cure = 'a replica that is connected, or a lower min-replicas-to-write'
  return { ...finding, state: 'wrong', is, cure }
}

function latencyOf({ latency }: ServerFacts): RedisFinding {
  const { roundTrips, roundTripMsMax, roundTripMsP99Max } = doctorLimits
  const finding = {
    name: 'round trip',
    shouldBe: `at most ${roundTripMsMax} ms, p99 ${roundTripMsP99Max} ms`,
    why: `of ${roundTrips}; a message takes two until its publisher has an answer`,
  }
  if (latency === null) return { ...finding, state: 'unknown', is: NOT_KNOWN, cure: null }
  const { p50Ms, p99Ms } = latency
  const isFine = p50Ms <= roundTripMsMax && p99Ms <= roundTripMsP99Max
  const is = `${formatMs(p50Ms)}, p99 ${formatMs(p99Ms)}`
  const cure = isFine ? null : 'a Redis that is nearer, or less busy'
  return { ...finding, state: isFine ? 'ok' : 'advice', is, cure }
}

function clockOf({ latency }: ServerFacts): RedisFinding {
  const { clockMsMax } = doctorLimits
  const finding = {
    name: 'clock',
    shouldBe: `at most ${formatMs(clockMsMax)} off`,
    why: 'against that of this machine; ages of messages are by both',
  }
  if (latency === null) return { ...finding, state: 'unknown', is: NOT_KNOWN, cure: null }
  const { aheadMs } = latency
  const isFine = Math.abs(aheadMs) <= clockMsMax
  const is = `${formatMs(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead'}`
  const cure = isFine ? null : 'time by NTP on both machines'
  return { ...finding, state: isFine ? 'ok' : 'advice', is, cure }
}
