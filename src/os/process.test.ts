// Goal: stray signals do not end a process, it yields to others, and its command line shows no
// secret. Method: rows of arguments as they are in memory, and other processes that do it to
// themselves.

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { hideOptionValue, maskValue } from './process.ts'

const MODULE = JSON.stringify(`${import.meta.dir}/process.ts`)

const SIGNALS = `
  const { ignoreStrays } = await import(${MODULE})
  ignoreStrays((signal) => console.log(signal))
  const { pid } = process
  const names = ['USR1', 'USR2', 'ALRM', 'VTALRM', 'PROF', 'IO', 'PIPE', 'XFSZ', 'STKFLT', '35', '64']
  for (const name of names) Bun.spawnSync(['kill', '-' + name, String(pid)])
  const timer = setInterval(() => undefined, 5)
  await Bun.sleep(20)
  clearInterval(timer)
  console.log('lives')`

test('a process that ignores stray signals outlives them, and reports those that Bun passes on', async () => {
  const child = Bun.spawn([process.execPath, '-e', SIGNALS], { stdout: 'pipe' })
  const lines = (await new Response(child.stdout).text()).trim().split('\n')
  expect(lines.at(-1)).toBe('lives')
  expect(lines.slice(0, -1).sort()).toEqual(
    ['SIGALRM', 'SIGIO', 'SIGPROF', 'SIGUSR1', 'SIGUSR2', 'SIGVTALRM'].sort(),
  )
  expect(await child.exited).toBe(0)
})

const YIELDS = `
  const { yieldToOthers, runAfterOthers } = await import(${MODULE})
  const { getPriority } = await import('node:os')
  const { existsSync, readFileSync } = await import('node:fs')
  const read = (name) => readFileSync('/proc/self/' + name, 'utf8')
  const session = () =>
    existsSync('/proc/self/autogroup') ? Number(read('autogroup').split(' ').at(-1)) : null
  const before = session()
  yieldToOthers()
  runAfterOthers()
  const policy = /^policy\\s*:\\s*(\\d+)/m.exec(read('sched'))
  console.log(JSON.stringify([Number(policy[1]), getPriority(), before, session()]))`

test.skipIf(process.platform !== 'linux')(
  'a process that yields to others and runs after them does so with the session that it began',
  async () => {
    const run = async (detached: boolean): Promise<(number | null)[]> => {
      const command = [process.execPath, '-e', YIELDS]
      const child = Bun.spawn(command, { stdout: 'pipe', detached })
      return JSON.parse(await new Response(child.stdout).text())
    }
    const [policy, nice, before, after] = await run(true)
    expect([policy, nice, after]).toEqual([3, 10, before === null ? null : 10])
    const [, , shared, still] = await run(false)
    expect(still).toBe(shared ?? null)
  },
)

/** The arguments after the value of `--o` was masked. */
function masked(...args: string[]): string[] {
  const bytes = Buffer.from(args.map((arg) => `${arg}\0`).join(''))
  const { length } = bytes
  maskValue(bytes, '--o')
  expect(bytes.length).toBe(length)
  return bytes.toString().split('\0').slice(0, -1)
}

describe('maskValue', () => {
  test.each([
    [
      ['comet', '--o', 'secret'],
      ['comet', '--o', '******'],
    ],
    [
      ['comet', '--o=secret'],
      ['comet', '--o=******'],
    ],
    [
      ['comet', '--o', 'v', 'more'],
      ['comet', '--o', '*', 'more'],
    ],
    [
      ['comet', '--o=v', 'more'],
      ['comet', '--o=*', 'more'],
    ],
    [
      ['--o', 'é'],
      ['--o', '**'],
    ],
    [
      ['--o', 'a=b c'],
      ['--o', '*****'],
    ],
    [['--o==b'], ['--o=**']],
  ])('of %p is %p', (args, expected) => {
    expect(masked(...args)).toEqual(expected)
  })

  test.each([
    ['no value', ['comet', '--o']],
    ['an empty value', ['comet', '--o', '', 'more']],
    ['an empty value after the sign', ['comet', '--o=', 'more']],
    ['no such option', ['comet', 'serve', 'o', '-o', 'v']],
    ['no argument at all', []],
    ['a longer option', ['comet', '--other', 'v', '--o-file', 'v', '--o-file=v', '--oo=v']],
    ['a shorter option', ['comet', '--', 'v', '-', 'v', '--=v']],
    ['the name within another argument', ['comet', 'x--o', 'v', 'x--o=v']],
  ])('changes nothing where there is %s', (_, args) => {
    expect(masked(...args)).toEqual([...args])
  })

  test('masks every value of an option that is given twice', () => {
    expect(masked('--o', 'a', '--o=bc', '--o', 'def')).toEqual(['--o', '*', '--o=**', '--o', '***'])
  })

  test('masks a value that reads like the option', () => {
    expect(masked('--o', '--o', 'more')).toEqual(['--o', '***', 'more'])
    expect(masked('--o', '--o=v', 'more')).toEqual(['--o', '*****', 'more'])
    expect(masked('--o=--o', 'more')).toEqual(['--o=***', 'more'])
  })

  test('masks a value that ends without a zero', () => {
    const bytes = Buffer.from('comet\0--o\0secret')
    maskValue(bytes, '--o')
    expect(bytes.toString()).toBe('comet\0--o\0******')
    const joined = Buffer.from('comet\0--o=secret')
    maskValue(joined, '--o')
    expect(joined.toString()).toBe('comet\0--o=******')
  })
})

describe.if(process.platform === 'linux')('hideOptionValue', () => {
  const source = `
    import { readFileSync } from 'node:fs'
    import { hideOptionValue } from ${MODULE}
    const given = process.argv.slice(-4)
    const isHidden = hideOptionValue('--secret')
    const seen = readFileSync('/proc/self/cmdline', 'utf8').split('\\0').slice(-5, -1)
    console.log(JSON.stringify({ isHidden, seen, given, still: process.argv.slice(-4) }))
  `

  test('hides the value from everything but the program', async () => {
    const given = ['--secret', 'value', '--secret=value', 'more']
    const child = Bun.spawn([process.execPath, '-e', source, '--', ...given], { stdin: 'ignore' })
    expect(JSON.parse(await child.stdout.text())).toEqual({
      isHidden: true,
      seen: ['--secret', '*****', '--secret=*****', 'more'],
      ...{ given, still: given },
    })
  })

  test('leaves a command line without the option as it is', () => {
    const before = readFileSync('/proc/self/cmdline')
    expect(hideOptionValue('--no-such-option')).toBe(true)
    expect(readFileSync('/proc/self/cmdline')).toEqual(before)
  })
})
