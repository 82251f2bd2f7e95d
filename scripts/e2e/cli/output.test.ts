// Goal: output that cannot be written is an error, and a file is either the new one or the old one.
// Method: the executable, full devices, readers that leave, and real files.

import { beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { type Finished, runProgram, waitFor } from '../../support/child-process.ts'
import { COMET, run, serve, start } from '../../support/comet.ts'
import { folderOfTests } from '../../support/folder.ts'

const folder = folderOfTests()

beforeAll(async () => {
  writeFileSync(`${folder}/two.txt`, '1 2\n3 4\n')
  await run(['friends', 'load', `${folder}/two.txt`, '--db', `${folder}/two.db`])
})

/** Runs a line of a shell in the folder, in which $COMET is the executable. */
function shell(line: string): Promise<Finished> {
  return runProgram(['bash', '-c', line], { name: line, cwd: folder, env: { COMET } })
}

const read = (name: string) => readFileSync(`${folder}/${name}`, 'utf8')
const temporary = () => readdirSync(folder).filter((name) => name.startsWith('.comet-'))

describe('standard output that cannot be written is reported in one line, exit 1:', () => {
  test.each([
    '--version',
    '--help',
    'friends --help',
    'config',
    'doctor',
    'doctor --json',
    'friends generate --users 100',
    'friends export --db two.db',
    'friends stats --db two.db --json',
    'friends load two.txt --db loaded.db',
    'gen --json --duration 100ms http://127.0.0.1:1',
    'flood --json --connections 1 --duration 100ms http://127.0.0.1:1/test/{id}',
    'flood --ndjson --connections 1 --duration 100ms http://127.0.0.1:1/test/{id}',
  ])('comet %s', async (command) => {
    const finished = await shell(`$COMET ${command} >/dev/full`)
    const lines = finished.stderr.trim().split('\n')
    expect(lines.at(-1)).toBe('comet: standard output could not be written (ENOSPC)')
    expect(lines.filter((line) => line.includes('standard output'))).toHaveLength(1)
    expect(finished.stderr).not.toMatch(/^\s+at /m)
    expect(finished.exitCode).toBe(1)
  })
})

describe('a reader that leaves ends a command silently:', () => {
  test.each(['--help', 'config', 'friends generate --users 200k', 'friends export --db two.db'])(
    'comet %s',
    async (command) => {
      const line = `$COMET ${command} | true; echo "\${PIPESTATUS[0]}"`
      const finished = await shell(line)
      // What is short may have been written before the reader left.
      expect(['0', '141']).toContain(finished.stdout.trim())
      expect(finished.stderr).toBe('')
    },
  )

  test('comet flood --ndjson, long before its time is over, and the streams are closed', async () => {
    await using server = await serve()
    const url = `${server.publicUrl}/test/{id}`
    const flood = `$COMET flood --ndjson --connections 5 --duration 10min '${url}'`
    const finished = await shell(`${flood} | head -1; echo "\${PIPESTATUS[0]}"`)
    const [sample, exitCode] = finished.stdout.trim().split('\n')
    expect(JSON.parse(String(sample))).toHaveProperty('connections')
    expect([exitCode, finished.stderr]).toEqual(['141', ''])
    await server.open(0)
  })
})

describe('a file that is written', () => {
  test.each(['friends generate --users 5', 'friends export --db two.db'])(
    'by comet %s replaces a longer one',
    async (command) => {
      writeFileSync(`${folder}/f.txt`, '7 8\n'.repeat(100_000))
      const { stdout } = await shell(`$COMET ${command}`)
      expect(await shell(`$COMET ${command} --output f.txt`)).toMatchObject({
        exitCode: 0,
        stderr: '',
      })
      expect(read('f.txt')).toBe(stdout)
      expect(temporary()).toEqual([])
    },
  )

  test.each([
    'friends generate --users 20k --output old.txt',
    'friends export --db large.db --output old.txt',
  ])('is as it was if the disk is full, after comet %s', async (command) => {
    await shell('$COMET friends generate --users 20k | $COMET friends load --db large.db')
    writeFileSync(`${folder}/old.txt`, 'old')
    // 8 blocks are 4 KiB or 8, whatever the shell takes for a block.
    const finished = await shell(`ulimit -f 8; trap '' XFSZ; exec $COMET ${command}`)
    expect(finished.stderr).toBe('comet: old.txt could not be written (EFBIG)\n')
    expect([finished.exitCode, read('old.txt')]).toEqual([1, 'old'])
    expect(temporary()).toEqual([])
  })

  test('is unchanged if a signal ends the command, and nothing else is left', async () => {
    writeFileSync(`${folder}/old.txt`, 'old')
    const command = ['friends', 'generate', '--users', '1m', '--degree', '5', '--output', 'old.txt']
    await using running = start(command, { cwd: folder })
    await waitFor('it to write', () => temporary().length > 0)
    running.kill('SIGTERM')
    await running.finished
    expect([running.signalCode, read('old.txt')]).toEqual(['SIGTERM', 'old'])
    expect(temporary()).toEqual([])
  })

  test('keeps its mode, and a link to it stays a link', async () => {
    writeFileSync(`${folder}/kept.txt`, 'old')
    chmodSync(`${folder}/kept.txt`, 0o640)
    symlinkSync('kept.txt', `${folder}/link.txt`)
    symlinkSync('new.txt', `${folder}/dangling.txt`)
    await shell('$COMET friends export --db two.db --output link.txt')
    await shell('$COMET friends export --db two.db --output dangling.txt')
    expect([read('kept.txt'), read('new.txt')]).toEqual(['1 2\n3 4\n', '1 2\n3 4\n'])
    expect(statSync(`${folder}/kept.txt`).mode & 0o777).toBe(0o640)
    expect((await shell('readlink link.txt dangling.txt')).stdout).toBe('kept.txt\nnew.txt\n')
  })

  test('has the mode of the umask, if it is new', async () => {
    await shell('umask 027; $COMET friends export --db two.db --output masked.txt')
    expect(statSync(`${folder}/masked.txt`).mode & 0o777).toBe(0o640)
  })

  test.each([
    'friends generate --users 100 --output',
    'friends export --db two.db --output',
    'friends stats --db two.db --svg',
    'flood --connections 1 --duration 100ms http://127.0.0.1:1/test/{id} --html',
  ])('is reported if it cannot be written: comet %s /dev/full', async (command) => {
    const { exitCode, stderr } = await shell(`$COMET ${command} /dev/full`)
    expect(stderr.trim().split('\n').at(-1)).toBe('comet: /dev/full could not be written (ENOSPC)')
    expect(exitCode).toBe(1)
  })

  test.each([
    ['none/f.txt', 'ENOENT'],
    ['.', 'EISDIR'],
    ['two.txt/f.txt', 'ENOTDIR'],
  ])('is told of if it cannot be there: %s', async (path, code) => {
    const finished = await shell(`$COMET friends export --db two.db --output ${path}`)
    const stderr = `comet: ${path} could not be written (${code})\n`
    expect(finished).toEqual({ exitCode: 1, stdout: '', stderr })
  })
})

test.each(['export --output', 'stats --svg'])(
  'the database itself is not overwritten by comet friends %s',
  async (command) => {
    const { exitCode, stderr } = await shell(`$COMET friends ${command} two.db --db ./two.db`)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('two.db is the database itself')
    expect((await shell('$COMET friends export --db two.db')).stdout).toBe('1 2\n3 4\n')
  },
)

describe('a file that is not regular is written to directly:', () => {
  const command = '$COMET friends export --db two.db --output'
  test.each([
    ['standard output', `${command} /dev/stdout`],
    ['standard output that is a pipe', `${command} /dev/stdout | cat`],
    ['standard output that is a file', `echo 9 9 >a; ${command} /dev/stdout >>a; tail -n +2 a`],
    ['another descriptor', `exec 3>b; echo 9 9 >&3; ${command} /dev/fd/3; tail -n +2 b`],
    ['another command', `${command} >(cat >c); until grep -q 3 c; do :; done; cat c`],
    ['a FIFO', `mkfifo p; ${command} p & cat p`],
  ])('%s', async (_, line) => {
    const { stdout, stderr } = await shell(line)
    expect([stdout, stderr]).toEqual(['1 2\n3 4\n', ''])
  })
})
