// Goal: help is found where it is looked for, fits the terminal, and shows what an option is for.
// Method: the executable, with pipes and on terminals.

import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { type OnTerminal, startOnTerminal } from '../../../src/cli/pty.fixture.ts'
import { PAGES } from '../../../src/manual/pages.ts'
import { OPTIONS } from '../../../src/server/command.ts'
import { waitFor } from '../../support/child-process.ts'
import { COMET, run } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'

const folder = folderOfTests()
const SIZE = { columns: 80, rows: 24 }

const COMMANDS = [
  ...['', 'serve', 'publish', 'listen', 'flood', 'gen', 'doctor', 'health', 'config', 'completion'],
  ...['friends', 'friends generate', 'friends load', 'friends export', 'friends stats'],
  ...['token', 'token create', 'token check', 'config check'],
].map((name) => name.split(' ').filter(Boolean))

function onTerminal(args: readonly string[], env: Record<string, string> = {}): OnTerminal {
  return startOnTerminal([COMET, ...args], SIZE, env)
}

/** All that a command has written on a terminal, with its codes. */
async function written(args: readonly string[], env: Record<string, string> = {}) {
  await using terminal = onTerminal(args, env)
  await terminal.process.exited
  return { exitCode: terminal.process.exitCode, text: terminal.raw() }
}

const COLOR = '\x1b['

describe('help', () => {
  test.each(COMMANDS.map((words) => [words]))('of comet %j fits 80 columns', async (args) => {
    const { exitCode, stdout } = await run([...args, '--help'])
    expect(exitCode).toBe(0)
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    expect(stdout).not.toContain(COLOR)
  })

  test('lists the commands by what they are for, and the pages of the manual', async () => {
    const { stdout } = await run(['help'])
    const [, serving = '', tools = '', operation = '', manual = ''] = stdout.split(
      /^(?:Serve, publish, listen|Tools|Operation|Manual, comet help <page>):$/m,
    )
    const namesIn = (text: string) => [...text.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name)
    expect(namesIn(serving)).toEqual(['serve', 'publish', 'listen', 'token'])
    expect(namesIn(tools)).toEqual(['flood', 'gen', 'friends'])
    expect(namesIn(operation).sort()).toEqual([
      ...['completion', 'config', 'doctor', 'health', 'help', 'version'],
    ])
    expect(namesIn(manual)).toEqual(PAGES.map(({ name }) => name))
  })

  test('of serve has every option under a heading', async () => {
    const { stdout } = await run(['serve', '--help'])
    const [head = '', ...groups] = stdout.split(/^(?=[A-Z][\w ]+:$)/m)
    expect(head).not.toContain('--')
    const titles = groups.map((group) => group.split(':')[0])
    expect(titles).toEqual([
      ...['Public port', 'Who may open which stream', 'Streams and their limits'],
      ...['Subscriptions and history', 'Control port', 'Processes', 'Several machines', 'Erlang'],
      ...['Operation', 'Options', 'Examples'],
    ])
    for (const name of Object.keys(OPTIONS))
      expect(stdout).toMatch(new RegExp(`^ .*--${name}\\b`, 'm'))
  })

  test.each(['serve', 'flood', 'gen'])(
    'of %s has only what all commands have without one',
    async (name) => {
      const { stdout } = await run([name, '--help'])
      const [, general = ''] = /^Options:\n([\s\S]*?)\n\n/m.exec(stdout) ?? []
      expect(general.match(/^ .*?--[a-z-]+/gm)).toEqual(['  -c, --config', '  -h, --help'])
    },
  )

  test('has colours on a terminal, unless they are turned off', async () => {
    const shown = await written(['serve', '--help'])
    expect(shown.exitCode).toBe(0)
    expect(shown.text).toContain('\x1b[1mPublic port:\x1b[22m')
    expect((await written(['serve', '--help'], { NO_COLOR: '1' })).text).not.toContain(COLOR)
    expect((await written(['serve', '--help'], { TERM: 'dumb' })).text).not.toContain(COLOR)
  })
})

test('a message on a terminal has its sender in bold, also one of a refused command line', async () => {
  for (const [args, sender] of [
    [['serve', '--oubox', '1'], 'comet:'],
    [['friends', 'load', `${folder}/nowhere`, '--db', ':memory:'], 'comet friends load:'],
  ] as const) {
    expect((await written(args)).text).toStartWith(`\x1b[1m${sender}\x1b[22m `)
    expect((await written(args, { NO_COLOR: '1' })).text).toStartWith(`${sender} `)
  }
})

describe('a page of the manual', () => {
  const [page] = PAGES
  if (page === undefined) throw new Error('the manual has no page')

  test('is its Markdown where there is no terminal', async () => {
    for (const { name, text } of PAGES) {
      expect(await run(['help', name])).toEqual({ exitCode: 0, stdout: text, stderr: '' })
    }
  })

  test('is shown through the pager that was chosen', async () => {
    const pager = `${folder}/pager`
    writeFileSync(pager, '#!/bin/sh\necho "paged with LESS=$LESS"\ncat\n', { mode: 0o755 })
    const { exitCode, text } = await written(['help', page.name], { PAGER: `${pager} -x` })
    expect(exitCode).toBe(0)
    expect(text).toContain('paged with LESS=FRX')
    expect(text).toContain(`\x1b[1m${page.title}\x1b[22m`)
    expect(text).not.toContain('```')
  })

  test('has no colours where they are turned off', async () => {
    const { text } = await written(['help', page.name], { PAGER: 'cat', NO_COLOR: '1' })
    expect(text).not.toContain(COLOR)
    expect(text).toContain(page.title)
  })

  test('is written as it is where there is no pager', async () => {
    const { exitCode, text } = await written(['help', page.name], { PAGER: '', PATH: folder })
    expect([exitCode, text.includes(page.title)]).toEqual([0, true])
  })

  test('is written, too, where the pager that was chosen is not there', async () => {
    const { exitCode, text } = await written(['help', page.name], { PAGER: 'no-such-pager' })
    expect([exitCode, text.includes(page.title)]).toEqual([0, true])
  })

  test.skipIf(Bun.which('less') === null)('stays in less until q is typed', async () => {
    await using terminal = onTerminal(['help', page.name], { PAGER: '' })
    const { process: child } = terminal
    await waitFor('the page', () => terminal.raw().includes(page.title))
    // An interrupt is for the pager, and takes keys with it that were typed before it was seen.
    child.terminal?.write('\x03')
    const quit = () => {
      child.terminal?.write('q')
      return child.exitCode !== null
    }
    await waitFor('the end', quit, undefined, { everyMs: 100 })
    expect([child.exitCode, child.signalCode]).toEqual([0, null])
  })

  test('is suggested if its name is misspelt, and so is a command', async () => {
    const misspelt = await run(['help', `${page.name}x`])
    expect([misspelt.exitCode, misspelt.stdout]).toEqual([2, ''])
    expect(misspelt.stderr).toContain(`(Did you mean ${page.name}?)`)
    expect((await run(['help', 'sevre'])).stderr).toContain('(Did you mean serve?)')
    expect((await run(['help', 'xyzzy'])).stderr).toBe(
      "comet: no command and no page of the manual is called 'xyzzy'; comet help lists them\n",
    )
  })
})

describe('the man page', () => {
  test('has every command, every option and every page, and is the same each time', async () => {
    const [{ exitCode, stdout, stderr }, again] = await Promise.all([
      run(['help', '--man']),
      run(['help', '--man']),
    ])
    expect([exitCode, stderr, stdout === again.stdout]).toEqual([0, '', true])
    const plain = stdout.replaceAll('\\-', '-')
    for (const words of COMMANDS) {
      const helped = (await run([...words, '--help'])).stdout
      for (const option of helped.match(/^ +(-\w, )?--[a-z-]+/gm) ?? []) {
        const name = option.trim().split(' ').at(-1)
        if (name !== '--help' && name !== '--version') expect(plain).toContain(String(name))
      }
    }
    for (const { title } of PAGES) expect(plain).toContain(`.SH "${title.toUpperCase()}"`)
  })

  for (const tool of ['man', 'mandoc'] as const) {
    test.skipIf(Bun.which(tool) === null)(`is understood by ${tool}`, async () => {
      const file = `${folder}/comet.1`
      writeFileSync(file, (await run(['help', '--man'])).stdout)
      const check = tool === 'man' ? ['man', '--warnings', '-l', file] : ['mandoc', file]
      const shown = await Bun.$`${check}`.env({ ...process.env, MANWIDTH: '80' }).quiet()
      // An address that is longer than a line is not broken.
      const complaints = shown.stderr
        .toString()
        .replaceAll(/^.*(cannot|can't) break line.*\n/gm, '')
      expect(complaints).toBe('')
      const text = Bun.stripANSI(shown.stdout.toString())
      expect(text).toContain('push server, and the tools that prove what it holds')
    })
  }
})

describe('a name of one letter', () => {
  test.each([
    [['config', 'serve', '-l', '127.0.0.1:1'], 'listen = "127.0.0.1:1"'],
    [['config', 'flood', '-k', '-H', 'a: b'], 'insecure = true'],
    [['config', 'friends', 'generate', '-o', 'f.txt'], 'output = "f.txt"'],
  ])('is that of the option: %p', async (args, line) => {
    const { exitCode, stdout } = await run(args)
    expect([exitCode, stdout.includes(line)]).toEqual([0, true])
  })

  test('is -c for the file of options', async () => {
    const file = `${folder}/comet.toml`
    writeFileSync(file, '[gen]\nrate = 7\n')
    expect((await run(['config', 'gen', '-c', file])).stdout).toContain('rate = "7"')
  })

  test('counts as the option if it is given twice', async () => {
    const { exitCode, stderr } = await run(['flood', '-c', 'a', '--config', 'b'])
    expect([exitCode, stderr]).toEqual([
      2,
      "comet: option '--config' is given twice; give it once\n",
    ])
  })
})
