// The options of `comet serve` that make it a node among Erlang nodes, and where its cookie comes
// from: the shared secret of the nodes, which must not appear in any message.

import { homedir } from 'node:os'
import {
  address,
  duration,
  flag,
  secret,
  text,
  type ValueOption,
  type Values,
} from '../cli/option.ts'
import { checkSecret, readSecret, type Secret, type SecretRule } from '../cli/secret.ts'
import { erlangLimits } from '../core/limits.ts'
import { OK, type Result, refused, success } from '../core/result.ts'
import { isLongName, parseNodeName } from '../erlang/node-name.ts'
import type { ErlangConfig, ErlangNodeName } from '../hub/settings.ts'
import { hideOptionValue } from '../os/process.ts'

export const ERLANG_OPTIONS = {
  'erlang-node': nodeName('Erlang node to connect to, and to reconnect to'),
  'erlang-name': nodeName('name of this server among Erlang nodes; makes it a hidden node'),
  'erlang-cookie-file': text(
    'file',
    null,
    'file with the cookie of the Erlang nodes (default: ~/.erlang.cookie)',
  ),
  'erlang-cookie': secret(
    'cookie',
    'the cookie itself; better set as COMET_ERLANG_COOKIE in the environment',
  ),
  'erlang-listen': address(null, 'address where Erlang nodes connect (default: a free port)'),
  'erlang-tick': duration(
    '60s',
    'silence after which a connection is closed, like net_ticktime in Erlang',
    {
      minMs: 1_000,
      maxMs: 36e5,
    },
  ),
  'erlang-required': flag(
    '/readyz fails while --erlang-node, or without it any Erlang node, is not connected',
  ),
} as const

/** Only one of them may be given. */
export const ERLANG_COOKIES = ['erlang-cookie', 'erlang-cookie-file'] as const

type ErlangValues = Values<typeof ERLANG_OPTIONS>

/** Erlang's own programs use it, too. */
const EPMD_PORT_VARIABLE = 'ERL_EPMD_PORT'
const EPMD_PORT_DEFAULT = 4369

const COOKIE_VARIABLE = 'COMET_ERLANG_COOKIE'

/** Are these options valid together? */
export function checkErlang(values: ErlangValues): Result<void> {
  const peer = values['erlang-node']
  const name = values['erlang-name']
  if (name === null) {
    const given = ERLANG_NAMES.find((option) => values[option] !== null && values[option] !== false)
    if (given === undefined) return OK
    return refused(`--${given} requires --erlang-name, the name of this server as a node`)
  }
  if (peer === null) return OK
  if (isLongName(peer) !== isLongName(name)) {
    return refused(
      `${name.full} and ${peer.full} cannot talk: Erlang connects nodes whose hosts have dots ` +
        '(-name), or nodes whose hosts have none (-sname)',
    )
  }
  return peer.full === name.full ? refused('--erlang-name must differ from --erlang-node') : OK
}

/**
 * The node's configuration, null for none.
 *
 * @param values that are valid together
 */
export function erlangConfig(values: ErlangValues): Result<ErlangConfig | null> {
  if (values['erlang-cookie'] !== null) hideOptionValue('--erlang-cookie')
  // Workers must not get it.
  delete process.env[COOKIE_VARIABLE]
  const peer = values['erlang-node']
  const name = values['erlang-name']
  if (name === null) return success(null)
  const epmdPort = Number(process.env[EPMD_PORT_VARIABLE] || EPMD_PORT_DEFAULT)
  if (!(Number.isInteger(epmdPort) && epmdPort > 0 && epmdPort < 65_536)) {
    return refused(`${EPMD_PORT_VARIABLE} in the environment is not a port`)
  }
  const read = cookieOf(values)
  if (!read.ok) return read
  const cookie = read.value.secret
  const listen = values['erlang-listen']
  const tickTimeMs = values['erlang-tick']
  const required = values['erlang-required']
  return success({ name, peer, cookie, listen, tickTimeMs, epmdPort, required })
}

/** Options that have no effect without a name; the tick has a default. */
const ERLANG_NAMES = [
  'erlang-node',
  'erlang-cookie-file',
  'erlang-cookie',
  'erlang-listen',
  'erlang-required',
] as const

const COOKIE: SecretRule = {
  what: 'cookie',
  option: 'erlang-cookie-file',
  lengthMin: 1,
  lengthMax: erlangLimits.cookieLengthMax,
  // Erlang refuses such a file, too.
  mayBeReadable: false,
}

function cookieOf(values: ErlangValues): Result<Secret> {
  const given = values['erlang-cookie']
  if (given !== null) return checkSecret(given, 'the cookie', COOKIE)
  const home = process.env['HOME'] ?? homedir()
  return readSecret(values['erlang-cookie-file'] ?? `${home}/.erlang.cookie`, COOKIE)
}

function nodeName(description: string): ValueOption<ErlangNodeName, null> {
  return {
    value: 'name@host',
    description,
    fallback: null,
    parse: parseNodeName,
    expected: "a node's name like comet@localhost",
  }
}
