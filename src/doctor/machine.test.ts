// Goal: what the machine says is read correctly, and what it does not say is unknown.
// Method: made folders with one file changed or missing, and this machine.

import { describe, expect, test } from 'bun:test'
import { FakeMachine, type Files, GIB, meminfo } from './machine.fixture.ts'
import { type KernelKey, type MachineFacts, readMachine } from './machine.ts'

function machineOf(files: Files = {}): MachineFacts {
  using machine = new FakeMachine(files)
  return machine.read()
}

describe('a kernel setting', () => {
  test.each<[KernelKey, string | null, readonly number[] | undefined]>([
    ['net.core.somaxconn', '128', [128]],
    ['net.ipv4.tcp_mem', '1\t2\t3', [1, 2, 3]],
    ['net.ipv4.ip_local_port_range', '1024   65535', [1024, 65535]],
    ['fs.file-max', '9223372036854775807', [2 ** 63]],
    ['vm.swappiness', '0', [0]],
    ['net.core.somaxconn', null, undefined],
    ['net.core.somaxconn', '', undefined],
    ['net.core.somaxconn', 'nonsense', undefined],
    ['net.netfilter.nf_conntrack_max', null, undefined],
    ['net.netfilter.nf_conntrack_max', '262144', [262_144]],
  ])('%s of %p is %p', (key, text, expected) => {
    expect(machineOf({ [key]: text }).kernel.get(key)).toEqual(expected as number[])
  })
})

describe('memory', () => {
  test('is what is available, without swap', () => {
    expect(machineOf({ '/proc/meminfo': meminfo(2 * GIB, 4 * GIB) })).toMatchObject({
      ...{ hasProc: true, availableBytes: 2 * GIB, swapBytes: 4 * GIB, groupBytes: null },
    })
  })

  test('is unknown where the kernel does not say it', () => {
    expect(machineOf({ '/proc/meminfo': 'MemTotal: 5 kB' })).toMatchObject({
      ...{ hasProc: true, availableBytes: null, swapBytes: null },
    })
  })
})

describe('the limit of a control group', () => {
  const own = '/sys/fs/cgroup/a/b/memory.max'
  const around = '/sys/fs/cgroup/a/memory.max'
  const top = '/sys/fs/cgroup/memory.max'
  const first = '/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes'
  const firstTop = '/sys/fs/cgroup/memory/memory.limit_in_bytes'
  const NESTED = '0::/a/b'
  const FIRST = '3:cpu:/x\n2:memory:/docker/1\n0::/'

  test.each<[string, string, Files, number | null]>([
    ['its own', NESTED, { [own]: '4096' }, 4096],
    ['the one around it', NESTED, { [own]: 'max', [around]: '8192' }, 8192],
    ['the least of both', NESTED, { [own]: '8192', [around]: '4096' }, 4096],
    ['that of a container, at the top', NESTED, { [top]: '4096' }, 4096],
    ['that of a container whose path leads outside', '0::/../../a', { [top]: '4096' }, 4096],
    ['none', NESTED, { [own]: 'max', [around]: 'max' }, null],
    ['none where nothing is mounted', NESTED, {}, null],
    ['none where there are no groups', '', {}, null],
    ['version 1', FIRST, { [first]: '4096' }, 4096],
    ['version 1 in a container', FIRST, { [firstTop]: '4096' }, 4096],
    ['version 1 without a limit', FIRST, { [first]: '9223372036854771712' }, null],
  ])('is %s', (_, groups, files, expected) => {
    expect(machineOf({ '/proc/self/cgroup': groups, ...files }).groupBytes).toBe(expected)
  })
})

const FIB_TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 10.0.0.0/30 2 0 2
           |-- 10.0.0.0
              /30 link UNICAST
           |-- 10.0.0.2
              /32 host LOCAL
           |-- 10.0.0.3
              /32 host LOCAL
              /32 link BROADCAST
Local:
           |-- 10.0.0.2
              /32 host LOCAL
`

test('addresses are counted once, and without loopback', () => {
  expect(machineOf({ '/proc/net/fib_trie': FIB_TRIE }).addresses).toBe(2)
  expect(machineOf().addresses).toBeNull()
})

test('in an empty folder only what the process knows is known', () => {
  const own = { openFiles: 256, cores: 8 }
  expect(readMachine(own, '/no/such/folder')).toEqual({
    ...own,
    hasProc: false,
    kernel: new Map(),
    availableBytes: null,
    groupBytes: null,
    swapBytes: null,
    addresses: null,
  })
})

test.if(process.platform === 'linux')('this machine can be read', () => {
  const facts = readMachine()
  expect(facts.openFiles).toBeGreaterThan(0)
  expect(facts.cores).toBeGreaterThan(0)
  expect(facts.availableBytes).toBeGreaterThan(0)
  expect(facts.kernel.get('net.core.somaxconn')?.[0]).toBeGreaterThan(0)
})
