// The completion script of fish.

import type { CompletedOption, CompletedPlace } from './completion.ts'

/** @param places that of the program first */
export function fishCompletion(places: readonly CompletedPlace[]): string {
  const names = places.slice(1).map(nameOf).join(' ')
  return `# Completion of comet in fish, as ~/.config/fish/completions/comet.fish

function __comet_place
    set -l place
    set -l before (commandline -opc)
    for word in $before[2..-1]
        switch "$place/$word"
            case ${names}
                set place "$place/$word"
        end
    end
    echo $place
end

function __comet_at
    set -l place (__comet_place)
    test "$place" = "$argv[1]"
end

complete -c comet -f
${places.flatMap(linesOf).join('\n')}
`
}

function nameOf({ path }: CompletedPlace): string {
  return path.map((word) => `/${word}`).join('')
}

function linesOf(place: CompletedPlace): string[] {
  const at = `complete -c comet -n "__comet_at '${nameOf(place)}'"`
  return [
    ...place.words.map(({ word, summary }) => `${at} -a ${word}${about(summary)}`),
    ...(place.argument === 'file' ? [`${at} -F`] : []),
    ...place.options.map((option) => at + optionWords(option)),
  ]
}

function optionWords({ long, short, description, value }: CompletedOption): string {
  const names = ` -l ${long.slice(2)}${short === null ? '' : ` -s ${short.slice(1)}`}`
  if (value === null) return names + about(description)
  const words = typeof value === 'string' ? '' : ` -a ${quoted(value.join(' '))}`
  return `${names}${value === 'file' ? ' -r -F' : ' -x'}${words}${about(description)}`
}

function about(text: string): string {
  return text === '' ? '' : ` -d ${quoted(text)}`
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`
}
