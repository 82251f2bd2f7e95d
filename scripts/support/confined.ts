// Runs a command where it has little: as a user that owns nothing, without an environment, with
// another root, or on a read-only file system. For tests; it takes root on Linux.

import { childrenOf } from './child-process.ts'
import { CometServer } from './comet.ts'

/** A user that nothing belongs to, so that a file of this user's is one that was left behind. */
export const NOBODY = 54_321

/** Can this process confine others? A container may forbid it even to root. */
export const canConfine =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  Bun.spawnSync([
    ...['unshare', '--mount', '--pid', '--fork'],
    'mount',
    '-t',
    'proc',
    'proc',
    '/proc',
  ]).success

/**
 * Runs a command in a folder that is its root, as this user and as process 1: like in a container.
 */
export function inRoot(root: string, user: number, command: readonly string[]): Confined {
  // What every engine mounts. Without /proc Bun 1.4.5 ends at once, it asks there where its stack
  // is; and comet holds files open in reserve, which are all /dev/null.
  const script = `
    root=$1 user=$2; shift 2; mkdir -p "$root/proc" "$root/dev"
    mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/dev" &&
    touch "$root/dev/null" && mount --bind /dev/null "$root/dev/null" &&
    exec chroot --userspec="$user:$user" "$root" "$@"`
  return confine(script, [root, String(user), ...command], '/')
}

export interface Where {
  readonly cwd: string
  /** All file systems are read-only. */
  readonly readOnly: boolean
}

/** Runs a command as {@link NOBODY}, with no environment at all. */
export function asNobody(command: readonly string[], { cwd, readOnly }: Where): Confined {
  const script = `
    mount -t proc proc /proc
    if ${readOnly}; then
      cut -d ' ' -f 5 /proc/self/mountinfo | xargs -n 1 mount -o remount,bind,ro
      for at in "$PWD" /tmp; do
        if touch "$at/x" 2>/dev/null; then echo "$at is writable"; exit 99; fi
      done
    fi
    exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups env -i "$@"`
  return confine(script, command, cwd)
}

/** A confined comet. */
export class Confined extends CometServer {
  /** Sends a signal to the command itself; {@link kill} is for what confines it. */
  signal(signal: NodeJS.Signals): void {
    // Everything from the shell on takes the place of what was before, and is the command in the
    // end.
    const [command] = childrenOf(this.pid)
    if (command === undefined) throw new Error('the command has ended, or has not begun')
    process.kill(command, signal)
  }
}

function confine(script: string, args: readonly string[], cwd: string): Confined {
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  return new Confined(
    [
      ...['env', '-i', path, 'unshare', '--mount', '--pid', '--fork', '--kill-child'],
      ...['sh', '-c', script, 'sh', ...args],
    ],
    // A command that has changed its user does not end with its parent, which --kill-child asks
    // for.
    { name: args.join(' '), cwd, killsDescendants: true },
  )
}
