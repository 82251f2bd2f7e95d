// What `comet doctor --bus` does: asks a Redis, assesses it, and prints that.

import { EXIT } from '../cli/command.ts'
import type { Io } from '../cli/io.ts'
import { type RedisValues, readRedis } from '../cli/redis-options.ts'
import { systemClock } from '../core/clock.ts'
import type { RedisAddress } from '../core/redis-address.ts'
import { assessRedis } from './redis-assessment.ts'
import { readRedisFacts } from './redis-facts.ts'
import { redisReport, redisText } from './redis-report.ts'

export interface RedisDoctorOptions extends RedisValues {
  readonly bus: RedisAddress
  readonly history: number
  readonly json: boolean
}

/** Bytes of the random end of a key: no other program has it. */
const KEY_BYTES = 8

export async function runForRedis(options: RedisDoctorOptions, io: Io): Promise<number> {
  const read = readRedis(options.bus, options)
  if (!read.ok) {
    io.stderr(`comet doctor: ${read.why}`)
    return EXIT.usage
  }
  const { address, warnings } = read.value
  for (const warning of warnings) io.stderr(`comet doctor: ${warning}`)
  const prefix = options['bus-prefix']
  const trialKey = `doctor:${crypto.getRandomValues(new Uint8Array(KEY_BYTES)).toHex()}`
  const facts = await readRedisFacts({ address, prefix, trialKey, clock: systemClock })
  const assessment = assessRedis(facts, { address, prefix, historyBytes: options.history })
  io.stdout(options.json ? JSON.stringify(redisReport(assessment)) : redisText(assessment))
  return assessment.isUsable ? EXIT.ok : EXIT.failed
}
