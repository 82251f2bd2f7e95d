// The completion script of bash, from version 3.2 on, without the package bash-completion.

import type { Completed, CompletedPlace } from './completion.ts'

/** @param places that of the program first */
export function bashCompletion(places: readonly CompletedPlace[]): string {
  return `# Completion of comet in bash: source <(comet completion bash)

_comet_files() {
  type compopt >/dev/null 2>&1 && compopt -o filenames
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$1"))
}

_comet() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} place= words= i
  # An equals sign is a word of its own.
  if [[ $cur == '=' ]]; then cur=
  elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place/\${COMP_WORDS[i]}" in
      ${alternatives(places.slice(1).map(nameOf))}) place=$place/\${COMP_WORDS[i]} ;;
    esac
  done
  COMPREPLY=()
  case "$place $prev" in
${places.flatMap(valueCases).join('\n')}
  esac
  if [[ -z $words ]]; then
    case "$place" in
${places.map(placeCase).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _comet comet
`
}

function nameOf({ path }: CompletedPlace): string {
  return path.map((word) => `/${word}`).join('')
}

/** Behind an option that takes a value. */
function valueCases(place: CompletedPlace): string[] {
  const byAction = new Map<string, string[]>()
  for (const { long, short, value } of place.options) {
    if (value === null) continue
    const action = actionFor(value)
    const patterns = byAction.get(action) ?? []
    const names = short === null ? [long] : [long, short]
    byAction.set(action, [...patterns, ...names.map((name) => `${nameOf(place)} ${name}`)])
  }
  return [...byAction].map(([action, names]) => `    ${alternatives(names)}) ${action} ;;`)
}

function actionFor(value: Completed): string {
  if (value === 'file') return '_comet_files "$cur"; return'
  return value === 'text' ? 'return' : `words='${value.join(' ')}'`
}

function placeCase(place: CompletedPlace): string {
  const known = place.words.map(({ word }) => word)
  const options = place.options.map(({ long }) => long)
  const isFile = place.argument === 'file'
  const files = isFile ? 'if [[ $cur != -* ]]; then _comet_files "$cur"; return; fi; ' : ''
  const all = [...known, ...options].join(' ')
  return `      ${alternatives([nameOf(place)])}) ${files}words='${all}' ;;`
}

function alternatives(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join('|')
}
