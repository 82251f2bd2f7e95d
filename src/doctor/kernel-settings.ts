// Every setting that decides how many streams a machine holds: one declaration each, in the order
// in which they are shown. Pure.

import { floodLimits } from '../core/tool-limits.ts'
import { formatBytes, formatCount } from '../core/units.ts'
import { type Demand, filesFor, memoryFor, processesFor, socketsFor } from './demand.ts'
import type { KernelKey, MachineFacts } from './machine.ts'

/** What a setting should be. */
export interface Want {
  /** For people, like `at least 512`. */
  readonly text: string
  readonly isMet: boolean
  /** The number to set; null if there is nothing to set. */
  readonly value: number | null
}

/** One setting, with everything about it. */
export interface Setting {
  /** As for sysctl(8), or in words. */
  readonly name: string
  /** Of the numbers here. */
  readonly unit: string
  /** One line for the person who has to change it. */
  readonly why: string
  /** The number that counts; infinite if there is no limit, null if it is unknown. */
  readonly value: (machine: MachineFacts, demand: Demand) => number | null
  /** The setting as a person reads it, where that is not its number alone. */
  readonly shown?: (machine: MachineFacts, demand: Demand) => string
  /** What the number must be, never less for more streams; absent where it limits nothing. */
  readonly needs?: (demand: Demand, machine: MachineFacts) => number
  /** What it should be, if that differs from what is needed. */
  readonly wants?: (machine: MachineFacts, demand: Demand) => Want
  readonly format?: (value: number) => string
  /** The text to set for a value, where sysctl(8) can set it. */
  readonly sysctl?: (value: number, machine: MachineFacts) => string
  /** What systemd calls it in a unit. */
  readonly unitLimit?: string
  /** What to do where no setting helps. */
  readonly cure?: string
  /** What the list of 2008 sets it to, and why that is obsolete. */
  readonly in2008?: { readonly value: string; readonly why: string }
}

/** A setting that is one to three numbers of the kernel, of which the last counts. */
function kernel(
  name: KernelKey,
  rest: Omit<Setting, 'name' | 'value'> & Partial<Setting>,
): Setting {
  return {
    name,
    value: ({ kernel }) => kernel.get(name)?.at(-1) ?? null,
    shown: ({ kernel }) => kernel.get(name)?.map(numberText).join(' ') ?? '',
    ...rest,
  }
}

/** One number of the kernel's, or 0 if it is unknown. */
function numberOf({ kernel }: MachineFacts, name: KernelKey): number {
  return kernel.get(name)?.[0] ?? 0
}

export const ANY: Want = { text: 'any', isMet: true, value: null }

export function atLeast(
  least: number,
  value: number | null,
  format: (value: number) => string = formatCount,
): Want {
  return {
    text: `at least ${format(least)}`,
    // An unknown setting is not a reason to refuse.
    isMet: value === null || value >= least,
    value: least,
  }
}

/** The same of a setting that is several numbers. */
function ofLast(want: Want): Want {
  return { ...want, text: `${want.text}, the last` }
}

/** Above this, numbers are not exact, and mean that the kernel has no limit. */
function numberText(value: number): string {
  return value >= Number.MAX_SAFE_INTEGER ? 'no limit' : formatCount(value)
}

/** Connections that wait to be accepted on one listening socket, as Bun asks for them. */
const BACKLOG = 512
/** Open files of other programs on the machine, beyond what is open now. */
const OTHER_FILES = 10_000
/**
 * Pages of socket buffers a stream: a million took 550 in all while 16,666 messages a second went
 * to one each, and nearly half a million while all were ended at once. Measured, see the
 * page "million" of the manual.
 */
const PAGES_MIN = 0.1
const PAGES = 0.5
/** The kernel's own defaults: packets that wait for a core, and bytes that wait in one socket. */
const PACKETS_WAITING = 1_000
const SEND_BUFFER_BYTES = 4 * 1024 ** 2
/** Swap for pages that are not used, and never in place of the page cache. */
const SWAPPINESS_MAX = 10
/** Of one address, those that the flood binds. */
const PORTS = floodLimits.portLast - floodLimits.portFirst + 1

const files: readonly Setting[] = [
  {
    name: 'open files of a process',
    unit: 'files',
    why: 'each stream is one; with fewer a process, more processes are needed, which cost memory',
    value: ({ openFiles }) => openFiles,
    shown: ({ openFiles }, demand) => {
      const processes = processesFor(demand, openFiles)
      const many = ` (${formatCount(processes)} processes)`
      return numberText(openFiles) + (Number.isFinite(processes) && processes > 1 ? many : '')
    },
    needs: (demand) => filesFor(demand),
    wants: (machine, demand) => atLeast(filesWanted(machine, demand), machine.openFiles),
    unitLimit: 'LimitNOFILE',
  },
  kernel('fs.nr_open', {
    unit: 'files',
    why: 'the maximum that the limit of open files can be set to',
    needs: (demand) => filesFor(demand),
    sysctl: String,
  }),
  kernel('fs.file-max', {
    unit: 'files',
    why: 'open files of the whole machine; each end of a stream on it is one',
    needs: (demand, machine) => numberOf(machine, 'fs.file-nr') + socketsFor(demand),
    wants: (machine, demand) => {
      const open = numberOf(machine, 'fs.file-nr')
      return atLeast(open + socketsFor(demand) + OTHER_FILES, numberOf(machine, 'fs.file-max'))
    },
    sysctl: String,
  }),
]

/** Enough for one process a core, which wakes fewer than many do; or what the kernel allows. */
function filesWanted(machine: MachineFacts, demand: Demand): number {
  const possible = machine.kernel.get('fs.nr_open')?.[0] ?? Infinity
  return Math.max(filesFor(demand), Math.min(possible, filesFor(demand, machine.cores)))
}

const network: readonly Setting[] = [
  kernel('net.core.somaxconn', {
    unit: 'connections',
    why: `connections that wait to be accepted; Bun asks for ${BACKLOG}, so more has no effect`,
    wants: (machine, { end }) =>
      end === 'client' ? ANY : atLeast(BACKLOG, numberOf(machine, 'net.core.somaxconn')),
    sysctl: String,
  }),
  kernel('net.ipv4.tcp_mem', {
    unit: 'pages',
    why: 'buffers of all sockets; silent streams use none, and half a page each if all end at once',
    needs: ({ connections }) => Math.ceil(connections * PAGES_MIN),
    wants: ({ kernel }, { connections }) =>
      ofLast(atLeast(Math.ceil(connections * PAGES), kernel.get('net.ipv4.tcp_mem')?.[2] ?? null)),
    // As the kernel spaces them: it begins to save at a half, and does all it can at two thirds.
    sysctl: (pages, { kernel }) => {
      const [low = 0, pressure = 0] = kernel.get('net.ipv4.tcp_mem') ?? []
      const steps = [Math.ceil(pages / 2), Math.ceil((pages * 2) / 3)] as const
      return `${Math.max(low, steps[0])} ${Math.max(pressure, steps[1])} ${pages}`
    },
    in2008: {
      value: '786432 1048576 26777216',
      why: 'the kernel sizes it by its memory; 26,777,216 pages are 102 GiB, which is no limit',
    },
  }),
  kernel('net.ipv4.tcp_rmem', {
    unit: 'bytes',
    why: 'receive buffer of a socket; it grows when needed, and requests are small',
    in2008: {
      value: '4096 16384 33554432',
      why: 'buffers grow on their own from 131,072; to begin with 16,384 is worse',
    },
  }),
  kernel('net.ipv4.tcp_wmem', {
    unit: 'bytes',
    why: 'what a socket may hold for a slow client before comet notices that it is slow',
    wants: ({ kernel }) => {
      const isMet = (kernel.get('net.ipv4.tcp_wmem')?.[2] ?? 0) <= SEND_BUFFER_BYTES
      const text = `at most ${formatCount(SEND_BUFFER_BYTES)}`
      return ofLast({ text, isMet, value: SEND_BUFFER_BYTES })
    },
    sysctl: (bytes, { kernel }) => {
      const [least = 0, first = 0] = kernel.get('net.ipv4.tcp_wmem') ?? []
      return `${Math.min(least, bytes)} ${Math.min(first, bytes)} ${bytes}`
    },
    in2008: {
      value: '4096 16384 33554432',
      why: 'the kernel begins with 16,384 anyway; 32 MiB for each slow client is a danger',
    },
  }),
  kernel('net.ipv4.tcp_max_tw_buckets', {
    unit: 'connections',
    why: 'connections closed here, remembered for a minute; above the limit they are forgotten',
    in2008: {
      value: '360000',
      why: 'the kernel sizes it by its memory; the side that closes fills it, which is the client',
    },
  }),
  kernel('net.core.netdev_max_backlog', {
    unit: 'packets',
    why: 'packets that wait for a core; drops are the second column of softnet_stat',
    wants: (machine) => atLeast(PACKETS_WAITING, numberOf(machine, 'net.core.netdev_max_backlog')),
    sysctl: String,
    in2008: {
      value: '2500',
      why: 'drivers fetch packets from the card when there is time; only loopback waits here',
    },
  }),
  {
    name: 'net.netfilter.nf_conntrack_max',
    unit: 'connections',
    why: 'connections that a firewall tracks; entries outlive them: two each if all reconnect',
    value: (machine) => (machine.hasProc ? conntrackMax(machine) : null),
    shown: (machine) => {
      const max = machine.kernel.get('net.netfilter.nf_conntrack_max')
      if (max === undefined) return 'not loaded'
      const isUsed = conntrackMax(machine) !== Infinity
      return `${formatCount(max[0] ?? 0)}${isUsed ? '' : ' (none used)'}`
    },
    needs: ({ connections }, machine) =>
      numberOf(machine, 'net.netfilter.nf_conntrack_count') + connections,
    wants: (machine, { connections }) => {
      const max = conntrackMax(machine)
      if (max === Infinity) return ANY
      return atLeast(numberOf(machine, 'net.netfilter.nf_conntrack_count') + 2 * connections, max)
    },
    sysctl: String,
  },
  kernel('net.ipv4.ip_local_port_range', {
    unit: 'ports',
    why: 'local ports that the kernel chooses from; comet flood --source chooses them itself',
    value: ({ kernel }) => {
      const [first, last] = kernel.get('net.ipv4.ip_local_port_range') ?? []
      return first === undefined || last === undefined ? null : last - first + 1
    },
    needs: ({ connections, end, sources }) => (end !== 'server' && sources === 0 ? connections : 0),
    wants: (_, { connections, end, sources }) =>
      end === 'server' || sources !== 0
        ? ANY
        : { text: `${formatCount(connections)} ports`, isMet: true, value: null },
    cure: 'comet flood --source, with an address for each 50,000 streams',
    in2008: {
      value: '1024 65535',
      why: 'so wide, other programs connect from ports that servers need; comet needs no range',
    },
  }),
  {
    name: 'local addresses',
    unit: 'addresses',
    why: `comet flood has ${formatCount(PORTS)} ports of each address; a server needs only one address`,
    // All of 127.0.0.0/8 is this machine.
    value: ({ addresses }, { end, sources }) =>
      sources ?? (end === 'client' ? addresses : Number.POSITIVE_INFINITY),
    shown: ({ addresses }, { end, sources }) =>
      formatCount(sources ?? addresses ?? 0) + (end === 'both' ? ' and loopback' : ''),
    needs: ({ connections, end, sources }) =>
      end === 'server' || sources === 0 ? 0 : Math.ceil(connections / PORTS),
    wants: ({ addresses }, { connections, end, sources }) =>
      end !== 'client' || sources === 0
        ? ANY
        : atLeast(Math.ceil(connections / PORTS), sources ?? addresses),
    cure: 'ip address add 10.0.0.2/24 dev eth0 and so on, and comet flood --source',
  },
]

/**
 * A table may be there and not be used: then it is empty, even of this connection to the machine.
 */
function conntrackMax({ kernel }: MachineFacts): number {
  const [max = Infinity] = kernel.get('net.netfilter.nf_conntrack_max') ?? []
  const [used = 0] = kernel.get('net.netfilter.nf_conntrack_count') ?? []
  return used === 0 ? Infinity : max
}

const memory: readonly Setting[] = [
  {
    name: 'memory',
    unit: 'bytes',
    why: 'streams, their sockets in the kernel, and processes: as measured, with a tenth to spare',
    value: memoryOf,
    shown: (machine) => {
      const { availableBytes, groupBytes } = machine
      const isGroup = groupBytes !== null && groupBytes < (availableBytes ?? Infinity)
      return `${formatBytes(memoryOf(machine) ?? 0)} ${isGroup ? 'for this cgroup' : 'available'}`
    },
    // With too few open files these are short, and not the memory for so many processes.
    needs: (demand, { openFiles }) => memoryFor(demand, Math.max(openFiles, filesFor(demand))),
    format: formatBytes,
    cure: 'more memory, or fewer streams',
  },
  kernel('vm.overcommit_memory', {
    unit: '',
    why: 'with 2, reserved memory counts as used, and each process reserves 6 GiB',
    wants: (machine) => {
      const isMet = numberOf(machine, 'vm.overcommit_memory') !== 2
      return { text: '0 or 1', isMet, value: 0 }
    },
    sysctl: String,
  }),
  kernel('vm.swappiness', {
    unit: '',
    why: 'each garbage collection reads a swapped heap back',
    wants: ({ kernel, swapBytes }) => {
      if (!swapBytes) return ANY
      const value = kernel.get('vm.swappiness')?.[0] ?? 1
      const isMet = value >= 1 && value <= SWAPPINESS_MAX
      return { text: `1 to ${SWAPPINESS_MAX}`, isMet, value: value < 1 ? 1 : SWAPPINESS_MAX }
    },
    sysctl: String,
    in2008: {
      value: '0',
      why: 'since Linux 3.5, 0 kills processes before anything is swapped; 1 is what 0 was',
    },
  }),
  kernel('vm.min_free_kbytes', {
    unit: 'kB',
    why: 'kept free for packets, which cannot wait for memory',
    in2008: { value: '65536', why: 'the kernel sizes it by its memory and its large pages' },
  }),
  kernel('net.core.rmem_max', {
    unit: 'bytes',
    why: 'the largest receive buffer that a program may ask for; comet asks for none',
    in2008: {
      value: '33554432',
      why: 'TCP uses tcp_rmem unless a program asks for a size',
    },
  }),
  kernel('net.core.wmem_max', {
    unit: 'bytes',
    why: 'the largest send buffer that a program may ask for; comet asks for none',
    in2008: {
      value: '33554432',
      why: 'TCP uses tcp_wmem unless a program asks for a size',
    },
  }),
  {
    name: 'cores',
    unit: 'cores',
    why: 'messages need them, silent streams do not: a delivery takes 10 to 90 µs, as measured',
    value: ({ cores }) => cores,
  },
]

function memoryOf({ availableBytes, groupBytes }: MachineFacts): number | null {
  if (availableBytes === null) return groupBytes
  return Math.min(availableBytes, groupBytes ?? Infinity)
}

export const SETTINGS: readonly Setting[] = [...files, ...network, ...memory]
