// The table of all that decides how many streams a machine holds: one declaration a setting, in the
// order in which they are shown. It is pure; where numbers come from and what follows is elsewhere.

import { floodLimits } from '../core/tool-limits.ts'
import { formatBytes, formatCount } from '../core/units.ts'
import { filesFor, memoryFor, processesFor, socketsFor, type Wish } from './need.ts'
import type { Readings } from './readings.ts'
import { ANY, atLeast, kernel, numberOf, numberText, ofLast, type Setting } from './setting.ts'

/** Connections that Bun lets wait to be accepted, on one listening socket. */
const BACKLOG = 512
/** Open files of everybody else on the machine, some more than there are now. */
const FILES_BESIDES = 10_000
/** Pages of socket buffers a stream: a million took 550 in all while 16,666 messages a second went to
 * one each, and nearly half a million while all were ended at once. Measured, see the README's run. */
const PAGES_MIN = 0.1
const PAGES = 0.5
/** What the kernel sets by itself: packets that wait for a core, and bytes that wait in one socket. */
const PACKETS_WAITING = 1_000
const SEND_BUFFER_BYTES = 4 * 1024 ** 2
/** Swap for what nobody uses, and never in place of the page cache. */
const SWAPPINESS_MAX = 10
/** Of one address, those that the flood binds. */
const PORTS = floodLimits.portLast - floodLimits.portFirst + 1

const files: readonly Setting[] = [
  {
    name: 'open files of a process',
    unit: 'files',
    why: 'a stream is one; the fewer a process may have, the more processes there are to pay for',
    value: ({ openFiles }) => openFiles,
    shown: ({ openFiles }, wish) => {
      const processes = processesFor(wish, openFiles)
      const many = ` (${formatCount(processes)} processes)`
      return numberText(openFiles) + (Number.isFinite(processes) && processes > 1 ? many : '')
    },
    needs: (wish) => filesFor(wish),
    wants: (readings, wish) => atLeast(filesWanted(readings, wish), readings.openFiles),
    unitLimit: 'LimitNOFILE',
  },
  kernel('fs.nr_open', {
    unit: 'files',
    why: 'the most that the limit of open files can be set to',
    needs: (wish) => filesFor(wish),
    sysctl: String,
  }),
  kernel('fs.file-max', {
    unit: 'files',
    why: 'open files of the whole machine; each end of a stream that is here is one',
    needs: (wish, readings) => numberOf(readings, 'fs.file-nr') + socketsFor(wish),
    wants: (readings, wish) => {
      const open = numberOf(readings, 'fs.file-nr')
      return atLeast(open + socketsFor(wish) + FILES_BESIDES, numberOf(readings, 'fs.file-max'))
    },
    sysctl: String,
  }),
]

/** Enough for one process a core, which wakes fewer than many do; or what can be had. */
function filesWanted(readings: Readings, wish: Wish): number {
  const possible = readings.kernel.get('fs.nr_open')?.[0] ?? Infinity
  return Math.max(filesFor(wish), Math.min(possible, filesFor(wish, readings.cores)))
}

const network: readonly Setting[] = [
  kernel('net.core.somaxconn', {
    unit: 'connections',
    why: `connections that wait to be accepted; Bun asks for ${BACKLOG}, so more changes nothing`,
    wants: (readings, { end }) =>
      end === 'client' ? ANY : atLeast(BACKLOG, numberOf(readings, 'net.core.somaxconn')),
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
      why: 'the kernel sets it by its memory; 26,777,216 pages are 102 GiB, which is no limit',
    },
  }),
  kernel('net.ipv4.tcp_rmem', {
    unit: 'bytes',
    why: 'what a socket may hold of what comes in: taken as it comes, and requests are small',
    in2008: {
      value: '4096 16384 33554432',
      why: 'buffers grow by themselves, from 131,072; to begin with 16,384 is a step back',
    },
  }),
  kernel('net.ipv4.tcp_wmem', {
    unit: 'bytes',
    why: 'what a socket may hold for a slow client before comet sees that it is slow',
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
      why: 'the kernel begins with 16,384 by itself; 32 MiB for each slow client is a danger',
    },
  }),
  kernel('net.ipv4.tcp_max_tw_buckets', {
    unit: 'connections',
    why: 'connections ended here, kept in mind for a minute; those beyond it are just forgotten',
    in2008: {
      value: '360000',
      why: 'the kernel sets it by its memory; who ends connections fills it, which clients do',
    },
  }),
  kernel('net.core.netdev_max_backlog', {
    unit: 'packets',
    why: 'packets that wait for a core; what is dropped is the second column of softnet_stat',
    wants: (readings) =>
      atLeast(PACKETS_WAITING, numberOf(readings, 'net.core.netdev_max_backlog')),
    sysctl: String,
    in2008: {
      value: '2500',
      why: 'drivers fetch packets from the card when there is time; only loopback still waits here',
    },
  }),
  {
    name: 'net.netfilter.nf_conntrack_max',
    unit: 'connections',
    why: 'what a firewall keeps in mind; entries outlive connections, and two count if all come back',
    value: (readings) => (readings.hasProc ? conntrackMax(readings) : null),
    shown: (readings) => {
      const max = readings.kernel.get('net.netfilter.nf_conntrack_max')
      if (max === undefined) return 'not loaded here'
      const isUsed = conntrackMax(readings) !== Infinity
      return `${formatCount(max[0] ?? 0)}${isUsed ? '' : ' (none used)'}`
    },
    needs: ({ connections }, readings) =>
      numberOf(readings, 'net.netfilter.nf_conntrack_count') + connections,
    wants: (readings, { connections }) => {
      const max = conntrackMax(readings)
      if (max === Infinity) return ANY
      return atLeast(numberOf(readings, 'net.netfilter.nf_conntrack_count') + 2 * connections, max)
    },
    sysctl: String,
  },
  kernel('net.ipv4.ip_local_port_range', {
    unit: 'ports',
    why: 'where the kernel chooses the ports to connect from; comet flood --source does that itself',
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
      why: 'so wide, other programs connect from ports that servers want; comet needs no range',
    },
  }),
  {
    name: 'local addresses',
    unit: 'addresses',
    why: `comet flood has ${formatCount(PORTS)} ports of each address; a server needs one for all`,
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

/** A table may be there and not be used: then it is empty, even of this connection to the machine. */
function conntrackMax({ kernel }: Readings): number {
  const [max = Infinity] = kernel.get('net.netfilter.nf_conntrack_max') ?? []
  const [used = 0] = kernel.get('net.netfilter.nf_conntrack_count') ?? []
  return used === 0 ? Infinity : max
}

const memory: readonly Setting[] = [
  {
    name: 'memory',
    unit: 'bytes',
    why: 'streams, their sockets in the kernel, processes: as measured, with a tenth to spare',
    value: memoryOf,
    shown: (readings) => {
      const { availableBytes, groupBytes } = readings
      const isGroup = groupBytes !== null && groupBytes < (availableBytes ?? Infinity)
      return `${formatBytes(memoryOf(readings) ?? 0)} ${isGroup ? 'for this cgroup' : 'available'}`
    },
    // With too few open files it is these that are short, and not memory for what would come of it.
    needs: (wish, { openFiles }) => memoryFor(wish, Math.max(openFiles, filesFor(wish))),
    format: formatBytes,
    cure: 'more memory, or fewer streams',
  },
  kernel('vm.overcommit_memory', {
    unit: '',
    why: 'with 2 what is only reserved counts as taken, and each process reserves 6 GiB',
    wants: (readings) => {
      const isMet = numberOf(readings, 'vm.overcommit_memory') !== 2
      return { text: '0 or 1', isMet, value: 0 }
    },
    sysctl: String,
  }),
  kernel('vm.swappiness', {
    unit: '',
    why: 'a heap that was swapped out is read back by each collection of garbage',
    wants: ({ kernel, swapBytes }) => {
      if (!swapBytes) return ANY
      const value = kernel.get('vm.swappiness')?.[0] ?? 1
      const isMet = value >= 1 && value <= SWAPPINESS_MAX
      return { text: `1 to ${SWAPPINESS_MAX}`, isMet, value: value < 1 ? 1 : SWAPPINESS_MAX }
    },
    sysctl: String,
    in2008: {
      value: '0',
      why: 'since Linux 3.5, 0 has processes killed before anything is swapped; 1 is what 0 was',
    },
  }),
  kernel('vm.min_free_kbytes', {
    unit: 'kB',
    why: 'kept free for packets, which cannot wait for memory',
    in2008: { value: '65536', why: 'the kernel sets it by its memory and its large pages' },
  }),
  kernel('net.core.rmem_max', {
    unit: 'bytes',
    why: 'the largest buffer that a program may ask for to receive; comet asks for none',
    in2008: {
      value: '33554432',
      why: 'TCP goes by tcp_rmem as long as a program asks for nothing',
    },
  }),
  kernel('net.core.wmem_max', {
    unit: 'bytes',
    why: 'the same to send',
    in2008: {
      value: '33554432',
      why: 'TCP goes by tcp_wmem as long as a program asks for nothing',
    },
  }),
  {
    name: 'cores',
    unit: 'cores',
    why: 'messages need them, silent streams do not: a delivery takes 10 to 52 µs, as measured',
    value: ({ cores }) => cores,
  },
]

function memoryOf({ availableBytes, groupBytes }: Readings): number | null {
  if (availableBytes === null) return groupBytes
  return Math.min(availableBytes, groupBytes ?? Infinity)
}

export const SETTINGS: readonly Setting[] = [...files, ...network, ...memory]
