// The tokens of the control port: what each of them allows, and how a file lists them.

import { controlLimits } from './identity-limits.ts'
import { type Result, refused, success } from './result.ts'

/** What the holder of a token may do on the control port; an admin may do all. */
export const CONTROL_ROLES = ['publish', 'read', 'admin'] as const
export type ControlRole = (typeof CONTROL_ROLES)[number]

export interface ControlToken {
  readonly role: ControlRole
  readonly token: string
}

const LINE = new RegExp(`^(${CONTROL_ROLES.join('|')})[ \\t]+(.*)$`)

/**
 * Reads the text of a token file: one token alone, which is an admin's, or lines `role token`,
 * among which may be empty ones and comments behind `#`.
 *
 * @returns why not, as what follows the name of the file; never with a token in it
 */
export function parseControlTokens(text: string): Result<ControlToken[]> {
  const lines = text.split(/\r?\n/).flatMap((line, at) => {
    const content = line.trim()
    return content === '' || content.startsWith('#') ? [] : [{ content, number: at + 1 }]
  })
  const [first] = lines
  if (first === undefined) return refused('is empty')
  if (lines.length > controlLimits.tokensMax) {
    return refused(`has more than ${controlLimits.tokensMax} tokens`)
  }
  if (lines.length === 1 && !LINE.test(first.content)) {
    const checked = checkToken(first.content)
    return checked.ok ? success([{ role: 'admin', token: checked.value }]) : checked
  }
  const tokens: ControlToken[] = []
  for (const { content, number } of lines) {
    const [, role, token = ''] = LINE.exec(content) ?? []
    if (role === undefined) {
      return refused(`has no role in line ${number}: ${CONTROL_ROLES.join(', ')}, and the token`)
    }
    const checked = checkToken(token)
    if (!checked.ok) return refused(`${checked.why}, in line ${number}`)
    // One of the table, by the expression.
    tokens.push({ role: role as ControlRole, token: checked.value })
  }
  if (new Set(tokens.map(({ token }) => token)).size < tokens.length) {
    return refused('has a token twice')
  }
  return success(tokens)
}

/** As a header can carry it (RFC 6750 section 2.1). */
function checkToken(token: string): Result<string> {
  const { tokenLengthMin, tokenLengthMax } = controlLimits
  if (token.length < tokenLengthMin) {
    return refused(`has a token that is shorter than ${tokenLengthMin} characters`)
  }
  if (token.length > tokenLengthMax) {
    return refused(`has a token that is longer than ${tokenLengthMax} characters`)
  }
  if (!/^[ -~]+$/.test(token)) return refused('has characters that a token cannot have')
  return success(token)
}
