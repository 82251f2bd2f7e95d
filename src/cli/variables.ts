// Variables of the environment that are named like options of comet: those that are none are told of.

import { nearestTo } from '../core/nearest.ts'
import type { Tree } from './config-file.ts'
import { variableOf } from './settings.ts'

/**
 * What is wrong with variables that are named like options and are none. No more than a warning: programs
 * around this one may have variables of that name, too.
 */
export function strangeVariables(
  tree: Tree,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const known = new Set(['COMET_CONFIG', ...variablesOf(tree, [])])
  // Alike is what comes behind the beginning that all of them have.
  const endings = [...known].map((name) => name.slice(PREFIX.length))
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.has(name))
    .map((name) => {
      const nearest = nearestTo(name.slice(PREFIX.length), endings)
      const hint = nearest === undefined ? '' : `; did you mean ${PREFIX}${nearest}?`
      return `${name} in the environment is no option${hint}`
    })
}

const PREFIX = 'COMET_'

function variablesOf(tree: Tree, path: readonly string[]): string[] {
  return Object.entries(tree).flatMap(([name, known]) => {
    const inner = [...path, name]
    return 'commands' in known
      ? variablesOf(known.commands, inner)
      : Object.keys(known.options).map((option) => variableOf(inner, option))
  })
}
