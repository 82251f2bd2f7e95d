// Goal: the options of a node become its configuration, or one sentence that says why not; a
// password is in none of them, and in no message. Method: every option alone and together, as on
// the command line, with files of the test's own.

import { describe, expect, test } from 'bun:test'
import { chmod } from 'node:fs/promises'
import { makeFolder } from '../../scripts/support/folder.ts'
import { resolveOptions, type Table, valuesOf } from '../cli/option-sources.ts'
import { busLimits, redisLimits } from '../core/bus-limits.ts'
import { isName } from '../core/name.ts'
import type { Result } from '../core/result.ts'
import {
  BUS_OPTIONS,
  BUS_REQUIREMENTS,
  busConfig,
  checkBus,
  nodeNameOf,
  type ReadBus,
} from './bus-options.ts'

const SECRET = 'topsecretword'
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

/** As the command does it. */
function configured(flags: Table): Result<ReadBus> {
  const resolution = resolveOptions(
    {
      ...{ path: ['serve'], options: BUS_OPTIONS, requires: BUS_REQUIREMENTS },
      validate: (values) => checkBus(values as Parameters<typeof checkBus>[0]),
    },
    { flags, environment: {}, file: null },
  )
  if (!resolution.ok) return { ok: false, why: resolution.why.join() }
  return busConfig(valuesOf<typeof BUS_OPTIONS>(resolution.value), 'made-up')
}

function whyNot(flags: Table): string {
  const result = configured(flags)
  if (result.ok) throw new Error('these options are valid')
  return result.why
}

const ADDRESS = {
  ...{ host: 'cache', port: 6379, database: 0, isTls: false },
  ...{ user: null, password: null, authorities: null },
}

/** A file that only its owner can read, and the folder that it goes with. */
async function fileOf(content: string, mode = 0o400) {
  const folder = await makeFolder()
  const path = `${folder.path}/file`
  await Bun.write(path, content)
  await chmod(path, mode)
  return { path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

describe('the configuration of a node', () => {
  test('is none without an option', () => {
    expect(configured({})).toEqual({ ok: true, value: { bus: null, warnings: [] } })
  })

  test('needs an address alone', () => {
    expect(configured({ bus: 'redis://cache' })).toEqual({
      ok: true,
      value: {
        bus: { address: ADDRESS, prefix: 'comet:', isRequired: false, nodeName: 'made-up' },
        warnings: [],
      },
    })
  })

  test('has every option in it', async () => {
    await using password = await fileOf(`${SECRET}\n`)
    await using authorities = await fileOf(PEM, 0o644)
    const flags = {
      bus: 'rediss://comet@cache:7000/3',
      'bus-password-file': password.path,
      'bus-ca-file': authorities.path,
      'bus-prefix': 'staging:',
      'bus-required': true,
      'node-name': 'eu-1',
    }
    const address = {
      ...{ host: 'cache', port: 7000, database: 3, isTls: true },
      ...{ user: 'comet', password: SECRET, authorities: PEM },
    }
    expect(configured(flags)).toEqual({
      ok: true,
      value: {
        bus: { address, prefix: 'staging:', isRequired: true, nodeName: 'eu-1' },
        warnings: [],
      },
    })
  })

  test('has a password for the default user too', async () => {
    await using password = await fileOf(SECRET)
    const result = configured({ bus: 'redis://cache', 'bus-password-file': password.path })
    expect(result).toMatchObject({
      value: { bus: { address: { user: null, password: SECRET } } },
    })
  })

  test('warns of a password that other users can read, and uses it', async () => {
    await using password = await fileOf(SECRET, 0o444)
    const { path } = password
    expect(configured({ bus: 'redis://cache', 'bus-password-file': path })).toMatchObject({
      value: {
        bus: { address: { password: SECRET } },
        warnings: [`the password file ${path} can be read by others; chmod 400 ${path}`],
      },
    })
  })
})

describe('options that are refused', () => {
  test.each([
    ['bus-password-file', 'file'],
    ['bus-ca-file', 'file'],
    ['bus-required', true],
  ])('--%s without a Redis', (option, value) => {
    expect(whyNot({ [option]: value })).toBe(
      `--${option} requires --bus, the Redis that nodes share`,
    )
  })

  test('a prefix without a Redis', () => {
    expect(whyNot({ 'bus-prefix': 'staging:' })).toBe('--bus-prefix requires --bus')
  })

  test('a user without a password', () => {
    expect(whyNot({ bus: 'redis://comet@cache' })).toBe(
      '--bus has the user comet, whose password --bus-password-file names',
    )
  })

  test('authorities without TLS', () => {
    expect(whyNot({ bus: 'redis://cache', 'bus-ca-file': 'file' })).toBe(
      '--bus-ca-file is for TLS, which --bus has with rediss:// instead of redis://',
    )
  })

  test.each(['cache', 'http://cache', 'redis://cache:0', 'redis://cache/none', ''])(
    '"%s" as an address',
    (bus) => {
      expect(whyNot({ bus })).toBe(
        'bus of --bus: expected a URL like redis://cache.example:6379/0, or ' +
          'rediss://comet@cache.example for TLS.',
      )
    },
  )

  test.each([
    `redis://:${SECRET}@cache`,
    `redis://comet:${SECRET}@cache:6379/0`,
    `rediss://comet:${SECRET}@2%zz@cache`,
    `http://comet:${SECRET}@cache`,
  ])('%s, without its password in the message', (bus) => {
    const why = whyNot({ bus })
    expect(why).toEndWith(
      '; a password does not belong in it: name its file with --bus-password-file.',
    )
    expect(why).not.toContain(SECRET)
  })

  test.each(['', 'a{b}', 'a*', 'a b', 'ä', 'a'.repeat(busLimits.prefixLengthMax + 1)])(
    '"%s" as a prefix',
    (prefix) => {
      expect(whyNot({ bus: 'redis://cache', 'bus-prefix': prefix })).toContain(
        'expected up to 64 letters, digits and . _ : @ -.',
      )
    },
  )

  test.each(['', '42', '.', 'a b', 'n'.repeat(65)])('"%s" as the name of a node', (name) => {
    expect(whyNot({ bus: 'redis://cache', 'node-name': name })).toContain(
      'expected a name of up to 64 letters, digits and . _ : @ -, not a number.',
    )
  })
})

describe('files that are refused', () => {
  test.each([
    ['is nothing', '', 'is empty'],
    ['is an empty line', '\n', 'is empty'],
    ['has a tab', `${SECRET}\tx`, 'has characters that a password cannot have'],
    ['is long', SECRET.repeat(400), `is longer than ${redisLimits.passwordLengthMax} characters`],
  ])('a password that %s, which is not shown', async (_, content, why) => {
    await using password = await fileOf(content)
    const result = whyNot({ bus: 'redis://cache', 'bus-password-file': password.path })
    expect(result).toBe(`the password in ${password.path} ${why}`)
  })

  test('a password that is not there', () => {
    expect(whyNot({ bus: 'redis://cache', 'bus-password-file': '/nonexistent' })).toBe(
      'the password file /nonexistent is not there; name another with --bus-password-file',
    )
  })

  test('authorities that are not there, or are none', async () => {
    await using text = await fileOf('text')
    for (const [path, why] of [
      ['/nonexistent', 'is not there'],
      [text.path, 'has no certificate in PEM'],
    ]) {
      expect(whyNot({ bus: 'rediss://cache', 'bus-ca-file': path })).toBe(
        `the certificate file ${path} ${why}`,
      )
    }
  })
})

describe('the name of a node that is given none', () => {
  test.each([
    ['web-1', 'web-1-00ff7f'],
    ['web-1.example', 'web-1.example-00ff7f'],
    ['Büro 2', 'B-ro-2-00ff7f'],
    ['', 'node-00ff7f'],
    ['42', '42-00ff7f'],
    [`${'long-'.repeat(12)}name`, `${'long-'.repeat(11)}lo-00ff7f`],
  ])('on the host "%s" is %s', (host, name) => {
    expect(nodeNameOf(host, Uint8Array.of(0, 255, 127))).toBe(name)
    expect(isName(name)).toBe(true)
  })

  test('differs from start to start', () => {
    const values = {
      bus: ADDRESS,
      ...{ 'bus-password-file': null, 'bus-ca-file': null, 'bus-prefix': 'comet:' },
      ...{ 'bus-required': false, 'node-name': null },
    }
    const names = Array.from({ length: 20 }, () => {
      const result = busConfig(values)
      return result.ok ? result.value.bus?.nodeName : result.why
    })
    expect(new Set(names).size).toBe(20)
  })
})
