// What a shell can complete: the commands, their options by the tables that also parse them, and
// the values that are known. The scripts of bash, zsh and fish are written from it.

import type { Argument, Command as Commander } from 'commander'
import { CONFIG } from './command.ts'
import type { AnyOption } from './option.ts'
import type { OptionTable } from './option-sources.ts'

/** What a value may be: some words, a file, or text that no shell knows. */
export type Completed = readonly string[] | 'file' | 'text'

export interface CompletedWord {
  readonly word: string
  readonly summary: string
}

export interface CompletedOption {
  /** With its dashes. */
  readonly long: string
  readonly short: string | null
  readonly description: string
  /** Null for one that takes none. */
  readonly value: Completed | null
  /** The value's name, like `duration`. */
  readonly valueName: string
  readonly mayRepeat: boolean
}

/** A place in a command line, behind the names of a command. */
export interface CompletedPlace {
  readonly path: readonly string[]
  /** The commands that may follow, or other known words. */
  readonly words: readonly CompletedWord[]
  readonly options: readonly CompletedOption[]
  /** What the first argument may be, unless it is one of the words. */
  readonly argument: Completed
}

/**
 * All places, that of the program first.
 *
 * @param pages those of the manual
 */
export function completedPlaces(
  program: Commander,
  tables: readonly OptionTable[],
  pages: readonly CompletedWord[],
): CompletedPlace[] {
  const places: CompletedPlace[] = []
  const walk = (command: Commander, path: readonly string[]) => {
    places.push({
      path,
      words: [...wordsOf(command), ...choicesOf(command.registeredArguments[0])],
      options: optionsOf(command, tableAt(path, tables)),
      argument: command.registeredArguments[0]?.name() === 'file' ? 'file' : 'text',
    })
    for (const inner of command.commands) walk(inner, [...path, inner.name()])
  }
  walk(program, [])
  const [first] = places
  if (first === undefined) throw new Error('a program is a place itself')
  const topics = [...first.words, ...pages.filter(({ word }) => !has(first.words, word))]
  places.push({ path: ['help'], words: topics, options: [], argument: 'text' })
  const help = { word: 'help', summary: 'print help of a command, or a page of the manual' }
  places[0] = { ...first, words: [...first.words, help] }
  return places
}

function has(words: readonly CompletedWord[], word: string): boolean {
  return words.some((each) => each.word === word)
}

function wordsOf(command: Commander): CompletedWord[] {
  return command.commands.map((inner) => ({ word: inner.name(), summary: inner.summary() }))
}

function choicesOf(argument: Argument | undefined): CompletedWord[] {
  return (argument?.argChoices ?? []).map((word) => ({ word, summary: '' }))
}

/** `comet config` takes the options of every command. */
function tableAt(path: readonly string[], tables: readonly OptionTable[]): OptionTable | undefined {
  const at = path[0] === 'config' ? path.slice(1) : path
  return tables.find((table) => table.path.join(' ') === at.join(' '))
}

function optionsOf(command: Commander, table: OptionTable | undefined): CompletedOption[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => {
      const { long, short = null, description, flags } = option
      if (!long) throw new Error(`an option without a name: ${flags}`)
      const name = long.slice(2)
      const declared = name === 'config' ? CONFIG : table?.options[name]
      return {
        ...{ long, short, description },
        value: option.required ? completedValue(declared) : null,
        valueName: /<([^>]*)>/.exec(flags)?.[1] ?? '',
        mayRepeat: declared !== undefined && 'each' in declared,
      }
    })
}

function completedValue(option: AnyOption | undefined): Completed {
  if (option === undefined || 'flag' in option) return 'text'
  const { value, words } = 'each' in option ? option.each : option
  return words ?? (value === 'file' ? 'file' : 'text')
}
