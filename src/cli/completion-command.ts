// `comet completion`: prints the script with which a shell completes comet's commands and options.

import { Argument } from 'commander'
import { type Command, EXIT } from './command.ts'

const SUMMARY = 'print the script with which a shell completes commands and options'

const HELP = `
Bash, for this shell or in ~/.bashrc:
  source <(comet completion bash)
Zsh, for this shell or in ~/.zshrc after compinit:
  source <(comet completion zsh)
Fish, for all new shells:
  comet completion fish > ~/.config/fish/completions/comet.fish`

const SHELLS = {
  bash: async () => (await import('./completion-bash.ts')).bashCompletion,
  zsh: async () => (await import('./completion-zsh.ts')).zshCompletion,
  fish: async () => (await import('./completion-fish.ts')).fishCompletion,
} as const

/** Loads the script of a shell only when it is asked for. */
export function completionCommand(): Command {
  return {
    name: 'completion',
    tables: () => [],
    attach({ program, tables, io, onDone }) {
      program
        .command('completion')
        .copyInheritedSettings(program)
        .helpGroup('Operation:')
        .summary(SUMMARY)
        .description(SUMMARY)
        .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SHELLS)))
        .addHelpText('after', HELP)
        .action(async (shell: keyof typeof SHELLS) => {
          const [{ completedPlaces }, { PAGES }, script] = await Promise.all([
            import('./completion.ts'),
            import('../manual/pages.ts'),
            SHELLS[shell](),
          ])
          const pages = PAGES.map(({ name, summary }) => ({ word: name, summary }))
          io.stdout(script(completedPlaces(program, tables, pages)))
          onDone(EXIT.ok)
        })
    },
  }
}
