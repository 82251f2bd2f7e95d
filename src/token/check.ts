// Runs `comet token check`: the check of the public port, with its reason on standard error.

import { EXIT, type Run } from '../cli/command.ts'
import { readStandardInput } from '../cli/standard-input.ts'
import { systemClock } from '../core/clock.ts'
import { identityLimits } from '../core/identity-limits.ts'
import { success } from '../core/result.ts'
import { REFUSALS } from '../hub/refusals.ts'
import { readKeys, tokenRules } from '../identity/key-options.ts'
import { fetchKeys } from '../identity/remote-keys.ts'
import { TokenVerifier } from '../identity/token-verifier.ts'
import type { CHECK } from './command.ts'

export const check: Run<typeof CHECK> = async (values, io, given) => {
  const fail = (why: string, exitCode: number): number => {
    io.stderr(`comet token check: ${why}`)
    return exitCode
  }
  const read = readKeys(values)
  if (!read.ok) return fail(read.why, EXIT.usage)
  const url = values['jwks-url']
  const fetched = url === null ? success([]) : await fetchKeys(url)
  if (!fetched.ok) return fail(`the keys at ${fetched.why}`, EXIT.unavailable)
  const keys = [...read.value.keys, ...fetched.value]
  const input =
    given === '-'
      ? await readStandardInput(2 * identityLimits.tokenBytesMax)
      : success(Buffer.from(given))
  if (!input.ok) return fail(input.why, EXIT.usage)
  const token = input.value.toString('latin1').trim()
  const verifier = new TokenVerifier({ keys, ...tokenRules(values) })
  const checked = await verifier.verify(token, systemClock.nowMs())
  if (!checked.ok) {
    return fail(`${checked.why}: ${REFUSALS[checked.why].text.trimEnd()}`, EXIT.failed)
  }
  const { user, read: subjects, issuedAtSeconds, expiresAtSeconds } = checked.value
  const times = { issuedAt: timeOf(issuedAtSeconds), expiresAt: timeOf(expiresAtSeconds) }
  io.stdout(JSON.stringify({ user, read: subjects, ...times }))
  return EXIT.ok
}

function timeOf(seconds: number | null): string | null {
  return seconds === null ? null : new Date(seconds * 1_000).toISOString()
}
