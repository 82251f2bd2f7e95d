// The completion script of zsh, to be sourced, or put as `_comet` into a folder of `$fpath`.

import type { Completed, CompletedOption, CompletedPlace, CompletedWord } from './completion.ts'

/** @param places that of the program first */
export function zshCompletion(places: readonly CompletedPlace[]): string {
  const names = places.slice(1).map(nameOf).join('|')
  return `#compdef comet
# Completion of comet in zsh: source <(comet completion zsh)

_comet() {
  local place= depth=0 i
  for ((i = 2; i < CURRENT; i++)); do
    case "$place/$words[i]" in
      ${names}) place=$place/$words[i]; depth=$((i - 1)) ;;
    esac
  done
  # To _arguments a command is a program of its own.
  words=("\${(@)words[depth + 1, -1]}")
  ((CURRENT -= depth))
  case "$place" in
${places.map(placeCase).join('\n')}
  esac
}

if [[ $funcstack[1] == _comet ]]; then _comet "$@"; else compdef _comet comet; fi
`
}

function nameOf({ path }: CompletedPlace): string {
  return path.map((word) => `/${word}`).join('')
}

function placeCase(place: CompletedPlace): string {
  const specs = [...place.options.map(optionSpec), ...argumentSpecs(place)]
  const lines = specs.map((spec) => `        ${spec}`).join(' \\\n')
  return `    '${nameOf(place)}')\n      _arguments -s \\\n${lines}\n      ;;`
}

function optionSpec({
  long,
  short,
  description,
  value,
  valueName,
  mayRepeat,
}: CompletedOption): string {
  const both = short === null ? [long] : [short, long]
  // Several times, or not beside its other name.
  const before = mayRepeat ? '*' : short === null ? '' : `(${both.join(' ')})`
  const about = `[${escaped(description)}]`
  const behind = value === null ? '' : `:${escaped(valueName)}:${actionFor(value)}`
  const names = both.map((name) => (value === null || name === short ? name : `${name}=`))
  const [only = ''] = names
  if (names.length === 1) return quoted(before + only + about + behind)
  return `${quoted(before)}{${names.join(',')}}${quoted(about + behind)}`
}

function argumentSpecs({ words, argument, path }: CompletedPlace): string[] {
  if (words.length > 0) {
    const described = words.map(wordSpec).join(' ')
    return [quoted(`1:${path.length === 0 ? 'command' : 'name'}:((${described}))`)]
  }
  return argument === 'file' ? [quoted('1:file:_files')] : []
}

function wordSpec({ word, summary }: CompletedWord): string {
  return summary === '' ? word : `${word}\\:${described(summary)}`
}

/** Inside a list of words, each of which would otherwise end at a blank. */
function described(summary: string): string {
  return `"${summary.replaceAll(/["\\$`]/g, '').replaceAll(':', '\\:')}"`
}

function actionFor(value: Completed): string {
  if (value === 'file') return '_files'
  return value === 'text' ? ' ' : `(${value.join(' ')})`
}

function escaped(text: string): string {
  return text.replaceAll(/[\][:\\]/g, (character) => `\\${character}`)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
