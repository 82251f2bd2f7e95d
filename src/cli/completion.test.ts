// Goal: the scripts for shells know what options take, by their declarations. Method: a small
// program, with pages that are called like commands, and words that shells would read otherwise.

import { expect, test } from 'bun:test'
import { Command as Commander } from 'commander'
import { command, group } from './command.ts'
import { completedPlaces } from './completion.ts'
import { bashCompletion } from './completion-bash.ts'
import { fishCompletion } from './completion-fish.ts'
import { zshCompletion } from './completion-zsh.ts'
import { configCommand } from './config-command.ts'
import type { Io } from './io.ts'
import { count, countOr, flag, list, oneOf, short, text } from './option.ts'

const run = command({
  name: 'run',
  summary: 'run it: [now] or "never"',
  argument: { name: 'file', description: 'what', fallback: null },
  options: {
    mode: oneOf(['fast', 'slow'], 'fast', "how it's [run]: fast \\ slow"),
    output: short('o', list(text('file', null, 'where to'))),
    jobs: countOr('auto', null, 'how many', 9),
    rate: count('1k', 'how fast'),
    quiet: flag('say nothing'),
  },
  examples: [],
  load: async () => ({ run: async () => 0 }),
})
const tools = group('tools', { summary: 'tools', purpose: 'Tools' }, [run])

function places() {
  const program = new Commander('comet').helpOption('-h, --help', 'help')
  const tables = [...run.tables(), ...tools.tables()]
  const io = {} as unknown as Io
  const context = { program, io, environment: {}, tables, onDone: () => undefined }
  for (const each of [run, tools, configCommand([run, tools])]) each.attach(context)
  const pages = ['run', 'limits'].map((word) => ({ word, summary: 'a page' }))
  return completedPlaces(program, tables, pages)
}

test('each place has its words, and a page that is called like a command is one word', () => {
  const words = places().map(({ path, words }) => [path.join(' '), words.map(({ word }) => word)])
  expect(Object.fromEntries(words)).toEqual({
    '': ['run', 'tools', 'config', 'help'],
    run: [],
    tools: ['run'],
    'tools run': [],
    config: ['check', 'run', 'tools'],
    'config check': [],
    'config run': [],
    'config tools': ['run'],
    'config tools run': [],
    help: ['run', 'tools', 'config', 'limits'],
  })
})

test.each(['run', 'tools run', 'config run', 'config tools run'])(
  'the options of %s take what they are declared to take',
  (path) => {
    const place = places().find((each) => each.path.join(' ') === path)
    const takes = place?.options.map(({ long, value, mayRepeat }) => [long, value, mayRepeat])
    expect(takes).toEqual([
      ['--mode', ['fast', 'slow'], false],
      ['--output', 'file', true],
      ['--jobs', ['auto'], false],
      ['--rate', 'text', false],
      ['--quiet', null, false],
      ['--config', 'file', false],
      ['--help', null, false],
    ])
    expect(place?.argument).toBe('file')
  },
)

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

for (const [shell, script] of Object.entries(SCRIPTS)) {
  test.skipIf(Bun.which(shell) === null)(
    `${shell} can read its script, whatever words say`,
    async () => {
      const read = Bun.spawn([shell, '-n', '/dev/stdin'], {
        stdin: new Blob([script(places())]),
        stderr: 'pipe',
      })
      expect([await new Response(read.stderr).text(), await read.exited]).toEqual(['', 0])
    },
  )
}
