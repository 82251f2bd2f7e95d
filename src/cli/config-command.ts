// `comet config`: what each option of a command would be, and where that comes from, as a file that
// --config takes; and whether a file is one.

import type { Command as Commander } from 'commander'
import { type Command, EXIT, type Place, settledFor } from './command.ts'
import { readConfigFile, type Tree, tableOf } from './config-file.ts'
import type { Io } from './io.ts'
import type { AnyOption, Options } from './option.ts'
import type { Settings, Table, Written } from './settings.ts'

/** @param commands those whose options may be set */
export function configCommand(commands: readonly Command[]): Command {
  const summary = 'show what each option of a command would be, and where that comes from'
  return {
    name: 'config',
    summary,
    known: { commands: {} },
    attach(place) {
      const sub = place.program.command('config').summary(summary).description(DESCRIPTION)
      sub.copyInheritedSettings(place.program)
      attachCheck(sub, place)
      for (const command of commands) {
        command.attach({
          ...{ ...place, program: sub },
          show: (settings, path) => show(place.io, settings, path, optionsAt(place.tree, path)),
        })
      }
    },
  }
}

const DESCRIPTION =
  'Show what each option of a command would be, and where that comes from, as a file that --config ' +
  'takes. Without the name of a command it is serve. The options of the command line count too.'

function attachCheck(program: Commander, { io, environment, tree, onDone }: Place): void {
  const summary = 'say what is wrong with a file for --config; exit 1 if anything is'
  program
    .command('check')
    .copyInheritedSettings(program)
    .summary(summary)
    .description(summary)
    .argument('<file>', 'the TOML file')
    .action((file: string) => {
      const read = readConfigFile(file, tree)
      const complaints = read.ok
        ? [...together(tree, [], read.table, { environment, tree }, file)]
        : read.complaints
      if (complaints.length === 0) io.stdout(`${file} makes sense.`)
      else for (const complaint of complaints) io.stderr(`comet config check: ${complaint}`)
      onDone(complaints.length === 0 ? EXIT.ok : EXIT.failed)
    })
}

/** What of a file is invalid together, with what the environment has: a start would refuse it. */
function* together(
  commands: Tree,
  path: readonly string[],
  table: Table,
  place: Pick<Place, 'environment' | 'tree'>,
  file: string,
): Generator<string> {
  for (const [name, known] of Object.entries(commands)) {
    const inner = [...path, name]
    if ('commands' in known) yield* together(known.commands, inner, table, place, file)
    else if (tableOf(table, inner) !== undefined) {
      const settled = settledFor(known, inner, place, { config: file })
      if (!settled.ok) yield* settled.why.map((why) => `${file}: [${inner.join('.')}]: ${why}`)
    }
  }
}

function show(io: Io, settings: Settings, path: readonly string[], options: Options): number {
  const lines = Object.entries(settings).map(([name, { written, from }]) => {
    const isHidden = isSecret(options[name]) && written !== null
    // What is no value, or is not to be seen, is no line of a file.
    const comment = written === null || isHidden ? '# ' : ''
    const text = `${comment}${name} = ${toml(written)}`
    return `${text.trimEnd().padEnd(COLUMNS)} # ${from}`
  })
  io.stdout([`[${path.join('.')}]`, ...lines].join('\n'))
  return EXIT.ok
}

/** Where the sources of values begin, if these leave room. */
const COLUMNS = 48

function isSecret(option: AnyOption | undefined): boolean {
  return option !== undefined && 'secret' in option
}

/** A TOML string is a JSON string. */
function toml(written: Written): string {
  if (written === null) return ''
  // One of a list needs no brackets.
  const only = Array.isArray(written) && written.length === 1 ? written[0] : written
  return JSON.stringify(only)
}

function optionsAt(tree: Tree, [name = '', ...path]: readonly string[]): Options {
  const known = tree[name]
  if (known === undefined) throw new Error(`there is no command ${name}`)
  return 'commands' in known ? optionsAt(known.commands, path) : known.options
}
