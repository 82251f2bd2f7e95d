// Goal: a command gets what it declares: parsed, with defaults, or refused in one line.
// Method: a small program with every kind of option, driven as src/main.ts drives the real ones.

import { describe, expect, test } from 'bun:test'
import { Command as Commander, CommanderError } from 'commander'
import { command } from './command.ts'
import type { Io } from './io.ts'
import { address, bytes, count, duration, flag, list, oneOf } from './option.ts'

const io: Io = {
  stdout: () => undefined,
  stderr: () => undefined,
  logLine: () => true,
  onIgnoredSignal: () => undefined,
  stderrIsTerminal: false,
  stderrHasColor: false,
  stdoutHasColor: false,
  openLive: () => null,
  stdoutBytes: async () => undefined,
  onUncaught: () => undefined,
  onHangup: () => undefined,
  nextSignal: () => new Promise(() => undefined),
}

interface Outcome {
  /** What the command was run with; null if it was not. */
  values: Record<string, unknown> | null
  argument: string | null
  exitCode: number | null
  errors: string
  output: string
}

/** Runs the program with its command `try` and further arguments. */
async function run(...words: string[]): Promise<Outcome> {
  const outcome: Outcome = { values: null, argument: null, exitCode: null, errors: '', output: '' }
  const program = new Commander('comet').exitOverride().configureOutput({
    writeOut: (text) => {
      outcome.output += text
    },
    writeErr: (text) => {
      outcome.errors += text
    },
  })
  const tried = command({
    name: 'try',
    summary: 'try every kind of option',
    argument: { name: 'url', description: 'where', fallback: 'http://x' },
    options: {
      users: count('10k', 'users', { max: 1_000_000 }),
      'max-streams': count(null, 'streams'),
      seed: count('1', 'seed', { min: 0 }),
      wait: duration('1.5s', 'wait', { minMs: 10, maxMs: 60_000 }),
      outbox: bytes('64KiB', 'outbox', { min: 1024, max: 1024 ** 2 }),
      listen: address('0.0.0.0:8000', 'port'),
      format: oneOf(['json', 'text'], 'text', 'format'),
      quiet: flag('say nothing'),
      visit: list(count(null, 'visits', { max: 9 })),
    },
    examples: ['comet try --users 1m'],
    load: async () => ({
      run: async (values, given, argument) => {
        if (given !== io) throw new Error('another io')
        outcome.values = values
        outcome.argument = argument
        return 7
      },
    }),
  })
  const onDone = (exitCode: number) => {
    outcome.exitCode = exitCode
  }
  tried.attach({ program, io, environment: {}, tables: tried.tables(), onDone })
  for (const sub of program.commands) sub.copyInheritedSettings(program)
  try {
    await program.parseAsync(['try', ...words], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    outcome.exitCode = error.exitCode
  }
  return outcome
}

const DEFAULTS = {
  users: 10_000,
  'max-streams': null,
  seed: 1,
  wait: 1_500,
  outbox: 65_536,
  listen: { hostname: '0.0.0.0', port: 8000 },
  format: 'text',
  quiet: false,
  visit: [],
}

describe('a command', () => {
  test('is run with its defaults, and its exit code is returned', async () => {
    expect(await run()).toEqual({
      values: DEFAULTS,
      argument: 'http://x',
      exitCode: 7,
      errors: '',
      output: '',
    })
  })

  test('is run with what was given', async () => {
    const words = 'http://y --users 1m --max-streams=5k --seed 0 --wait 250ms --outbox 1MiB'
    const more = '--listen [::1]:80 --format json --quiet'
    const { values, argument } = await run(...words.split(' '), ...more.split(' '))
    expect(argument).toBe('http://y')
    expect(values).toEqual({
      users: 1_000_000,
      'max-streams': 5_000,
      seed: 0,
      wait: 250,
      outbox: 1_048_576,
      listen: { hostname: '::1', port: 80 },
      format: 'json',
      quiet: true,
      visit: [],
    })
  })

  test('has all values of an option that was given several times, in their order', async () => {
    const { values } = await run('--visit', '3', '--quiet', '--visit=1', '--visit', '3')
    expect(values).toMatchObject({ visit: [3, 1, 3], quiet: true })
    // Nothing remains for the next run.
    expect((await run('--visit', '2')).values).toMatchObject({ visit: [2] })
    expect((await run()).values).toMatchObject({ visit: [] })
  })

  test('is not run if one of several values is invalid', async () => {
    const { values, errors } = await run('--visit', '3', '--visit', '10', '--visit', '4')
    expect(values).toBeNull()
    expect(errors).toContain('a whole number like 500, 10k or 1m, at most 9')
  })
})

describe('a value that is invalid is refused', () => {
  test.each([
    ['--users', 'many', 'a whole number like 500, 10k or 1m, at most 1m'],
    ['--users', '0', 'a whole number'],
    ['--users', '-1', 'a whole number'],
    ['--users', '1.5', 'a whole number'],
    ['--users', '1000001', 'at most 1m'],
    ['--max-streams', '', 'a whole number like 500, 10k or 1m.'],
    ['--wait', '30', 'a duration like 250ms, 30s or 2h'],
    ['--wait', '9ms', 'at least 10ms'],
    ['--wait', '61s', 'at most 1min'],
    ['--outbox', '1023', 'at least 1KiB'],
    ['--outbox', '64k', 'a size like 64KiB or 1MiB'],
    ['--outbox', '2MiB', 'at most 1MiB'],
    ['--outbox', '64KB', 'KB is ambiguous, write KiB'],
    ['--listen', '80000', 'an address like 127.0.0.1:8001'],
    ['--listen', '::1:80', 'an address like'],
    ['--format', 'xml', 'one of json, text'],
    ['--format', 'JSON', 'one of json, text'],
  ])('%s %p', async (option, value, why) => {
    const { values, exitCode, errors } = await run(`${option}=${value}`)
    expect([values, exitCode === 0]).toEqual([null, false])
    expect(errors).toContain(option)
    expect(errors).toContain(why)
  })

  test.each([
    ['an option that there is not', ['--colour']],
    ['an option without its value', ['--users']],
    ['a flag with a value', ['--quiet=yes']],
    ['an option that is given twice', ['--users', '1', '--users', '1']],
    ['a flag that is given twice', ['--quiet', '--quiet']],
    ['a second argument', ['http://y', 'http://z']],
  ])('as is %s', async (_, words) => {
    const { values, exitCode, errors } = await run(...words)
    expect([values, exitCode === 0]).toEqual([null, false])
    expect(errors).toStartWith('error: ')
  })
})

describe('the help', () => {
  test('names each option with its value and default, and the examples', async () => {
    const { output, exitCode, values } = await run('--help')
    expect([exitCode, values]).toEqual([0, null])
    for (const text of [
      '[url]',
      '--users <count>',
      '(default: 10k)',
      '--wait <duration>',
      '(default: 1.5s)',
      '--outbox <bytes>',
      '--listen <host:port>',
      '--format <json|text>',
      'comet try --users 1m',
    ]) {
      expect(output).toContain(text)
    }
    expect(output).not.toContain('--max-streams <count>  streams (default')
  })
})
