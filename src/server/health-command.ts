// `comet health`: asks a server whether it is well, for those who run it where there is no curl, like
// in a container. It knows the address and the answers of /livez and /readyz, and nothing else.

import { command } from '../cli/command.ts'
import { flag } from '../cli/option.ts'

/** Where a server is, unless told otherwise. */
export const CONTROL = '127.0.0.1:8001'

export const OPTIONS = {
  ready: flag('ask whether it takes new streams, not only whether it lives'),
} as const

export const health = command({
  name: 'health',
  summary: 'ask a server whether it lives, or whether it takes streams; exit 0 if so',
  argument: {
    name: 'url',
    description: `its control port (default: where comet serve would have it, http://${CONTROL})`,
    fallback: null,
  },
  options: OPTIONS,
  examples: [
    'comet health',
    'comet health --ready',
    'comet health http://127.0.0.1:8001 --ready && echo go ahead',
  ],
  load: () => import('./health-run.ts'),
})
