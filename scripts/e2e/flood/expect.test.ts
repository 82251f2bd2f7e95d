// Goal: flood finds what was promised and did not come, or came and was not promised, and its exit
// code says whether a run was as wanted. Method: the executable against itself, with files of gen.

import { describe, expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { type CometServer, run, serve, start } from '../../support/comet.ts'
import { type Folder, makeFolder } from '../../support/folder.ts'
import { floodReport, genReport } from '../../support/reports.ts'

const onLinux = test.skipIf(process.platform !== 'linux')

const STREAMS = 50

/** Floods comet while `work` goes on, and answers what it finished with. */
async function flooded(work: (server: CometServer) => Promise<void>, ...options: string[]) {
  await using server = await serve()
  const url = `${server.publicUrl}/test/{id}`
  await using flooding = start(['flood', url, '--connections', String(STREAMS), ...options])
  await waitFor('the streams', async () => {
    if (flooding.exitCode !== null) throw new Error(`flood ended: ${flooding.stderr}`)
    return (await server.stats()).streams.open === STREAMS
  })
  await work(server)
  flooding.kill('SIGINT')
  return await flooding.finished
}

/** Sends some messages, and writes down what was promised. */
async function send(server: CometServer, path: string, messages = 1_000) {
  const generated = await run([
    ...['gen', server.controlUrl, '--users', String(STREAMS), '--address', 'to'],
    ...['--rate', '2k', '--messages', String(messages), '--json'],
  ])
  expect(generated.exitCode).toBe(0)
  await Bun.write(path, generated.stdout)
  return genReport(generated)
}

describe('--expect', () => {
  test('of two generators at once: nothing is lost, and nothing is too much', async () => {
    await using folder = await makeFolder()
    const paths = [`${folder.path}/a.json`, `${folder.path}/b.json`]
    const finished = await flooded(
      async (server) => {
        await Promise.all(paths.map((path, at) => send(server, path, 500 + at)))
      },
      ...paths.flatMap((path) => ['--expect', path]),
      '--json',
    )
    expect(finished.exitCode).toBe(0)
    const { comparison, received } = floodReport(finished)
    expect(comparison).toEqual({ promised: 1_001, lost: 0, unexpected: 0, examples: [] })
    expect(received.messages).toBe(1_001)
  })

  test('is refused while others sent too, whose messages would hide what is lost', async () => {
    await using folder = await makeFolder()
    const path = `${folder.path}/gen.json`
    const work = async (server: CometServer) => {
      await send(server, path, 100)
      await send(server, `${folder.path}/other.json`, 7)
    }
    const finished = await flooded(work, '--expect', path, '--json')
    expect(finished.exitCode).toBe(1)
    expect(floodReport(finished).comparison).toBeNull()
    expect(finished.stderr).toContain('generators came that are in no --expect report')
  })

  test('finds what slow streams did not read, and names messages', async () => {
    await using folder = await makeFolder()
    await losing(folder, '--slow')
  })

  onLinux('finds what streams that vanished did not get, and names messages', async () => {
    await using folder = await makeFolder()
    await losing(folder, '--silent-drop')
  })

  async function losing(folder: Folder, option: string): Promise<void> {
    const path = `${folder.path}/gen.json`
    let generators = { first: 0, count: 0 }
    const work = async (server: CometServer) => {
      generators = (await send(server, path)).generators
    }
    const finished = await flooded(work, option, '10%', '--expect', path, '--json')
    expect(finished.exitCode).toBe(1)
    const { comparison, received, behaviour, examples } = floodReport(finished)
    expect(behaviour.slow + behaviour.vanished).toBe(5)
    const { promised, lost, unexpected, examples: named } = comparison ?? { examples: [] }
    expect([promised, unexpected, examples]).toEqual([1_000, 0, []])
    expect(lost).toBe(1_000 - received.messages)
    // A tenth, give or take four deviations.
    expect(lost).toBeWithin(60, 141)
    expect(named).toHaveLength(5)
    for (const { generator, sequence } of named) {
      expect(generator).toBeWithin(generators.first, generators.first + generators.count)
      expect(sequence).toBeWithin(1, 1_000)
    }
    expect(new Set(named.map((one) => JSON.stringify(one))).size).toBe(5)
  }

  test('names what is lost in the summary', async () => {
    await using folder = await makeFolder()
    const path = `${folder.path}/gen.json`
    const work = async (server: CometServer) => {
      await send(server, path)
    }
    const { exitCode, stdout } = await flooded(work, '--slow', '10%', '--expect', path)
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/^promised {2}1,000 deliveries, \d+ lost, 0 more than promised$/m)
    expect(stdout.match(/^lost {6}message \d+ of generator \d+$/gm)).toHaveLength(5)
  })

  test.each([
    ['is missing', null, 'cannot be read (ENOENT); write it with comet gen --json > '],
    ['is no JSON', 'sent 5 messages', 'cannot be read (it is not JSON)'],
    ['is of something else', '{"lost": 0}', 'is not a report of comet gen --json'],
    ['promises nothing', '{"delivered": 1, "unpromised": 2}', 'cannot be compared'],
  ])('of a file that %s tells all the same, and says so', async (_what, text, why) => {
    await using folder = await makeFolder()
    const path = `${folder.path}/gen.json`
    const write = async () => {
      if (text !== null) await Bun.write(path, text)
    }
    const finished = await flooded(write, '--expect', path, '--json')
    expect(finished.exitCode).toBe(1)
    expect(finished.stderr).toContain(`comet flood: --expect ${path} ${why}`)
    expect(finished.stderr.trim().split('\n')).toHaveLength(1)
    const { connections, comparison } = floodReport(finished)
    expect([connections.opened, comparison]).toEqual([STREAMS, null])
  })
})

describe('--assert', () => {
  test('that is met ends with 0', async () => {
    await using folder = await makeFolder()
    const path = `${folder.path}/gen.json`
    const work = async (server: CometServer) => {
      await send(server, path)
    }
    const objectives = 'p99<10s, connect-max<10s, failed=0, messages>=1k, lost<200, lost>0'
    const options = ['--slow', '10%', '--expect', path, '--assert', objectives, '--json']
    const { exitCode, stderr } = await flooded(work, ...options)
    // Something was lost, and was allowed to be.
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('messages is ')])
    const again = options.map((word) => word.replace('messages>=1k', 'messages>=800'))
    expect(await flooded(work, ...again)).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('that is not met ends with 1, and a line for each that says which', async () => {
    const objectives = 'opened=50,failed>0,closed<=0,reopened>=2,p99<1ms,connect-p50<=0ms'
    const { exitCode, stderr, stdout } = await flooded(
      async () => undefined,
      '--assert',
      objectives,
    )
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining('50 opened of 50 wanted')])
    const lines = stderr.trim().split('\n')
    expect(lines).toEqual([
      'comet flood: failed is 0, not >0',
      'comet flood: reopened is 0, not >=2',
      'comet flood: p99 was not measured, wanted <1ms',
      expect.stringMatching(/^comet flood: connect-p50 is [\d.]+ ms, not <=0ms$/),
    ])
  })

  test('takes the place of the rule that no stream may end', async () => {
    const work = async (server: CometServer) => {
      server.kill('SIGTERM')
      await server.finished
    }
    const { exitCode } = await flooded(work, '--assert', `closed=${STREAMS}`)
    expect(exitCode).toBe(0)
  })

  test.each(['lost=0', 'failed=0,unexpected<5'])(
    '%s without --expect is an error',
    async (text) => {
      const { exitCode, stdout, stderr } = await run(['flood', '--assert', text])
      expect([exitCode, stdout]).toEqual([2, ''])
      expect(stderr).toContain('give --expect as well')
    },
  )

  test.each(['nonsense', 'p100<5ms', 'p99<5', 'failed<5ms', 'failed=0,', ''])(
    '%j is an error that lists what there is',
    async (text) => {
      const { exitCode, stdout, stderr } = await run(['flood', '--assert', text])
      expect([exitCode, stdout]).toEqual([2, ''])
      for (const metric of ['p99.9', 'connect-max', 'reopened', 'late', 'lost', 'unexpected']) {
        expect(stderr).toContain(metric)
      }
      expect(stderr.trim().split('\n')).toHaveLength(1)
    },
  )
})
