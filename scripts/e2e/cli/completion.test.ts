// Goal: a shell completes commands, options and values by the script that comet prints for it.
// Method: the shells themselves. Where keys are typed, a program in place of comet prints what it
// is called with.

import { beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, writeFileSync } from 'node:fs'
import { startOnTerminal } from '../../../src/cli/pty.fixture.ts'
import { runProgram, waitFor } from '../../support/child-process.ts'
import { run } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'

const folder = folderOfTests()
const ECHO = '#!/bin/sh\nprintf "called"; for word; do printf "<%s>" "$word"; done; echo .\n'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** A machine that only builds may not have all of them. */
function having(shell: Shell) {
  return test.skipIf(Bun.which(shell) === null)
}

beforeAll(async () => {
  for (const shell of SHELLS) {
    const { stdout } = await run(['completion', shell])
    writeFileSync(`${folder}/completion.${shell}`, stdout)
  }
  writeFileSync(`${folder}/friends of mine.txt`, '1 2\n')
  writeFileSync(`${folder}/comet`, ECHO)
  chmodSync(`${folder}/comet`, 0o755)
})

/** What the shell offers for a line, sorted. */
const OFFERS: Readonly<Record<'bash' | 'fish', (words: readonly string[]) => Promise<string[]>>> = {
  async bash(words) {
    const script = `source ./completion.bash; compopt() { :; }; COMP_WORDS=("$@")
      COMP_CWORD=$(($# - 1)); _comet; ((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"`
    return await linesOf(['bash', '--norc', '-c', script, 'bash', ...words])
  },
  async fish(words) {
    const line = words.map((word) => word.replaceAll(/[ ']/g, '\\$&')).join(' ')
    const script = 'source ./completion.fish; complete -C $argv[1]'
    const offered = await linesOf(['fish', '--no-config', '-c', script, line])
    return offered.map((each) => String(each.split('\t')[0]))
  },
}

async function linesOf(command: readonly string[]): Promise<string[]> {
  const { stdout, stderr } = await runProgram(command, { cwd: folder })
  expect(stderr).toBe('')
  return stdout.split('\n').filter(Boolean).sort()
}

const OFFERED: readonly (readonly [line: string, offers: readonly string[]])[] = [
  ['comet se', ['serve']],
  ['comet friends ', ['export', 'generate', 'load', 'stats']],
  ['comet serve --wir', ['--wire']],
  ['comet serve --wire ', ['auto', 'socket']],
  ['comet serve --log-format j', ['json']],
  ['comet serve --workers a', ['auto']],
  ['comet serve --listen ', []],
  ['comet flood --insecure --format w', ['websocket']],
  ['comet config flood --churn 1%/s --form', ['--format']],
  ['comet config che', ['check']],
  ['comet serve --config fri', ['friends of mine.txt']],
  ['comet friends load fri', ['friends of mine.txt']],
  ['comet help sev', ['several-machines']],
  ['comet help flo', ['flood']],
  ['comet completion z', ['zsh']],
]

for (const shell of ['bash', 'fish'] as const) {
  describe.skipIf(Bun.which(shell) === null)(`${shell} offers for`, () => {
    test.each(OFFERED)('%s', async (line, offers) => {
      const offered = await OFFERS[shell](line.split(' '))
      // Some shells quote what they offer, and bash offers options even before a dash is typed.
      const words = offered.map((word) => word.replaceAll('\\', ''))
      expect(words.filter((word) => word !== '--help')).toEqual([...offers])
    })
  })
}

test.skipIf(Bun.which('bash') === null)('bash takes what is behind an equals sign', async () => {
  const words = ['comet', 'serve', '--wire', '=', 'so']
  expect(await OFFERS.bash(words)).toEqual(['socket'])
  expect(await OFFERS.bash(['comet', 'serve', '--wire', '='])).toEqual(['auto', 'socket'])
})

const INTERACTIVE = {
  bash: ['bash', '--norc', '--noprofile', '-i'],
  zsh: ['zsh', '-f', '-i'],
} as const

const SOURCES = {
  bash: 'source ./completion.bash',
  zsh: 'autoload -Uz compinit && compinit -u -D && source ./completion.zsh',
} as const

/** Types lines at a prompt; the words with which each called the program. */
async function typed(shell: 'bash' | 'zsh', keys: readonly string[]): Promise<string[][]> {
  const env = { PATH: `${folder}:${process.env['PATH']}`, PS1: '> ', PROMPT: '> ' }
  const enter = [`cd ${folder}`, SOURCES[shell], 'echo rea""dy']
  await using terminal = startOnTerminal(INTERACTIVE[shell], { columns: 200, rows: 50 }, env)
  const { process: child } = terminal
  for (const line of enter) child.terminal?.write(`${line}\r`)
  await waitFor('the shell', () => /^ready\r?$/m.test(terminal.raw()))
  const calls: string[][] = []
  for (const line of keys) {
    child.terminal?.write(`${line}\r`)
    const call = await waitFor(
      `the words of ${line}`,
      () => [...terminal.raw().matchAll(/^called(.*)\.\r?$/gm)][calls.length]?.[1] ?? false,
    )
    calls.push([...call.matchAll(/<([^>]*)>/g)].map(([, word]) => String(word)))
  }
  return calls
}

for (const shell of ['bash', 'zsh'] as const) {
  having(shell)(`${shell} completes what is typed, a word a tab`, async () => {
    const calls = await typed(shell, [
      'comet serv\t--log-lev\twar\t',
      'comet fri\tlo\tfriends\\ o\t',
      'comet friends generate --outp\tfri\t',
      'comet serve --conf\tfri\t',
      'comet help sever\t',
      'comet completion fis\t',
      'comet config ch\tfri\t',
    ])
    const file = 'friends of mine.txt'
    // Zsh puts an equals sign behind an option, others a blank.
    expect(calls.map((words) => words.flatMap((word) => word.split('=')))).toEqual([
      ['serve', '--log-level', 'warn'],
      ['friends', 'load', file],
      ['friends', 'generate', '--output', file],
      ['serve', '--config', file],
      ['help', 'several-machines'],
      ['completion', 'fish'],
      ['config', 'check', file],
    ])
  })
}

test.each(SHELLS)(
  'comet completion %s prints the same each time, and nothing else',
  async (shell) => {
    const printed = await run(['completion', shell])
    expect([printed.exitCode, printed.stderr]).toEqual([0, ''])
    expect(printed.stdout).toBe(await Bun.file(`${folder}/completion.${shell}`).text())
  },
)

test('another shell, or none, is refused', async () => {
  const [other, none] = await Promise.all([run(['completion', 'tcsh']), run(['completion'])])
  expect([other.exitCode, other.stdout, none.exitCode, none.stdout]).toEqual([2, '', 2, ''])
  expect(other.stderr).toContain('bash, zsh, fish')
  expect(none.stderr).toStartWith('comet: missing required argument')
})
