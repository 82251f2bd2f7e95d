// Goal: comet doctor says what this machine holds, as text, JSON and files, and its exit code is
// true; serve and flood warn of the same. Method: run the executable, under limits of open files.

import { describe, expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { DoctorReport } from '../../../src/doctor/doctor-report.ts'
import { ChildProcess, type Finished, waitFor } from '../../support/child-process.ts'
import { COMET, freePort, type RunOptions, run, serve } from '../../support/comet.ts'
import { makeFolder } from '../../support/folder.ts'

/** Streams that every machine which runs tests holds. */
const FEW = ['--connections', '100']

/** Open files that any process may be limited to, and that are enough for a hundred streams. */
const FILES = { openFiles: 400 }

function doctor(args: readonly string[] = FEW, options: RunOptions = {}): Promise<Finished> {
  return run(['doctor', ...args], options)
}

async function reportOf(args: readonly string[], options: RunOptions = {}): Promise<DoctorReport> {
  const { stdout, stderr } = await doctor([...args, '--json'], options)
  expect(stderr).toBe('')
  return JSON.parse(stdout) as DoctorReport
}

const linux = describe.if(process.platform === 'linux')

linux('comet doctor', () => {
  test('shows each setting, how many streams fit, and what to type; exit 0', async () => {
    const { exitCode, stdout, stderr } = await doctor()
    expect([exitCode, stderr]).toEqual([0, ''])
    for (const name of ['open files of a process', 'fs.file-max', 'net.ipv4.tcp_mem', 'memory']) {
      expect(stdout).toMatch(new RegExp(`^(ok|advice) +${name} `, 'm'))
    }
    expect(stdout).toContain('These settings of 2008 are obsolete:')
    expect(stdout).toMatch(/^As it is, this machine holds about [\d,]+ streams; the limit is /m)
    expect(stdout).toContain('100 fit: comet serve --connections 100')
  })

  test('prints JSON that follows its schema', async () => {
    const report = await reportOf(FEW)
    expect([...Value.Errors(DoctorReport, report)]).toEqual([])
    expect(report).toMatchObject({ connections: 100, end: 'server', met: true })
    expect(report.holds ?? Infinity).toBeGreaterThan(100)
  })

  test('is for a million streams at the end of the server by default', async () => {
    expect(await reportOf([])).toMatchObject({ connections: 1_000_000, end: 'server' })
    expect(await reportOf(['--end', 'both'])).toMatchObject({ end: 'both' })
  })

  test('both ends hold fewer than one', async () => {
    const [server, both] = await Promise.all([reportOf(FEW), reportOf([...FEW, '--end', 'both'])])
    expect(both.holds ?? Infinity).toBeLessThan(server.holds ?? Infinity)
  })

  test('exits 1 when so many do not fit, with what is short and what to type', async () => {
    const { exitCode, stdout } = await doctor(['--connections', '1000m'])
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^SHORT +memory /m)
    expect(stdout).toContain('1,000,000,000 do not fit unless this is changed:')
    expect(stdout).toContain('  memory: more memory, or fewer streams')
  })
})

linux('fewer open files', () => {
  test('change the result, and are the limit', async () => {
    const args = ['--connections', '100k']
    const report = await reportOf(args, FILES)
    expect(report).toMatchObject({ met: false, reason: 'open files of a process' })
    expect(report.holds ?? 0).toBeGreaterThan(10_000)
    expect(report.holds ?? 0).toBeLessThan(100_000)
    const { exitCode, stdout } = await doctor(args, FILES)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(
      /^SHORT +open files of a process +400 \([\d,]+ processes\) {2}at least /m,
    )
    expect(stdout).toMatch(
      /^ {2}ulimit -n \d+, or for a unit of systemd: comet doctor .*--systemd$/m,
    )
  })

  test('are enough for few streams', async () => {
    expect(await reportOf(FEW, FILES)).toMatchObject({ met: true })
  })

  test('are set by systemd and not by sysctl', async () => {
    const sysctl = await doctor(['--connections', '100k', '--sysctl'], FILES)
    expect(sysctl.exitCode).toBe(0)
    expect(sysctl.stderr).toMatch(/^comet doctor: open files .* 400 .*: comet doctor --systemd\n$/)
    const systemd = await doctor(['--connections', '100k', '--systemd'], FILES)
    expect([systemd.exitCode, systemd.stderr]).toEqual([0, ''])
    const limit = Number(/^LimitNOFILE=(\d+)$/m.exec(systemd.stdout)?.[1])
    expect(systemd.stdout).toContain('\nEnvironment=COMET_CONNECTIONS=100000\n')
    expect(limit).toBeGreaterThan(400)
  })
})

linux('files', () => {
  test.each([
    ['--sysctl', /^(#.*|[a-z][\w.-]+ = \d+( \d+)*)$/],
    ['--systemd', /^(#.*|\[Service\]|Environment=COMET_CONNECTIONS=\d+|[A-Z]\w+=(\d+|infinity))$/],
  ])('%s has lines of its kind, and a comment first', async (option, line) => {
    const { exitCode, stdout, stderr } = await doctor([...FEW, option])
    expect([exitCode, stderr]).toEqual([0, ''])
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toBe('# For 100 streams, by comet doctor.')
    expect(lines.filter((text) => !line.test(text))).toEqual([])
  })

  test('exit 1 if no file helps', async () => {
    const { exitCode, stderr } = await doctor(['--connections', '1000m', '--sysctl'])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^comet doctor: memory is .*: more memory, or fewer streams$/m)
  })
})

describe('what is invalid', () => {
  test.each([
    [['--connections', '0'], 'a whole number like 500, 10k or 1m'],
    [['--connections', '2000m'], 'at most 1000m'],
    [['--end', 'middle'], 'one of server, client, both'],
    [['--sysctl', '--json'], 'give --sysctl or --json, not both'],
    [['--sysctl', '--systemd'], 'give --sysctl or --systemd, not both'],
    [['--systemd', '--json'], 'give --systemd or --json, not both'],
    [['extra'], 'too many arguments'],
  ])('%p is refused in one line', async (args, text) => {
    const { exitCode, stdout, stderr } = await doctor(args)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(text)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })
})

test('the help shows every option, its default and examples', async () => {
  const { exitCode, stdout } = await doctor(['--help'])
  expect(exitCode).toBe(0)
  for (const option of ['--connections', '--end', '--sysctl', '--systemd', '--json']) {
    expect(stdout).toContain(option)
  }
  expect(stdout).toContain('(default: 1m)')
  expect(stdout).toContain('Examples:')
})

/** Runs the command that follows where the kernel seems to allow so many open files. */
async function pretending(fileMax: string, folder: string): Promise<string[]> {
  const file = `${folder}/file-max`
  await Bun.write(file, fileMax)
  return ['unshare', '-rm', 'sh', '-c', 'mount --bind "$0" /proc/sys/fs/file-max; exec "$@"', file]
}

/** A mount namespace is not allowed everywhere. */
function mayPretend(): boolean {
  if (Bun.which('unshare') === null) return false
  const mount = 'mount --bind /proc/version /proc/sys/fs/file-max'
  return Bun.spawnSync(['unshare', '-rm', 'sh', '-c', mount]).exitCode === 0
}

linux('a start warns', () => {
  const machineLines = (stderr: string) => stderr.match(/^.*"event":"machine".*$/gm) ?? []

  test('of nothing where all fits', async () => {
    await using server = await serve(['--connections', '100'])
    const flood = [`${server.publicUrl}/test/{id}`, '--connections', '10', '--duration', '1s']
    const { exitCode, stderr } = await run(['flood', ...flood])
    expect(exitCode).toBe(0)
    expect(stderr).not.toContain('comet doctor')
    server.kill('SIGTERM')
    expect(machineLines((await server.finished).stderr)).toEqual([])
  })

  test.if(mayPretend())('in serve of what the machine lacks', async () => {
    const places = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--db', ':memory:']
    await using folder = await makeFolder()
    const command = [...(await pretending('60', folder.path)), COMET, 'serve', ...FEW, ...places]
    await using server = new ChildProcess(command)
    // It has written all of them by now.
    await waitFor('the warning', () => machineLines(server.stderr).length > 0)
    server.kill('SIGTERM')
    const { exitCode, stderr } = await server.finished
    expect(exitCode).toBe(0)
    const lines = machineLines(stderr).map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toEqual([
      {
        ...{ time: expect.any(String), level: 'warn', event: 'machine' },
        message: expect.stringMatching(
          /^fs\.file-max is 60: enough for about 0 of 100 streams; it /,
        ),
      },
    ])
  })

  test('in flood of what the machine lacks', async () => {
    // Over IPv6 the kernel chooses the ports, of which it never has so many.
    const url = `http://[::1]:${freePort()}/{id}`
    const flood = await run(['flood', url, '--connections', '65k', '--duration', '100ms'])
    expect(flood.stderr).toMatch(
      /^comet flood: net\.ipv4\.ip_local_port_range is [\d,]+ [\d,]+: enough for about /m,
    )
    expect(flood.stderr).toContain('Run comet doctor --connections 65k --end both for details.')
  })
})
