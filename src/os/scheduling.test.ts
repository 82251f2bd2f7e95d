// Goal: a process that yields to others says so to the kernel. Method: another process does it and
// reads its own policy, so that this one keeps its own.

import { expect, test } from 'bun:test'

const SCHEDULING = `${import.meta.dir}/scheduling.ts`

test.skipIf(process.platform !== 'linux')(
  'the policy of the process becomes SCHED_BATCH',
  async () => {
    const script = `
    const { yieldToOthers } = await import(${JSON.stringify(SCHEDULING)})
    const done = yieldToOthers()
    const policy = /^policy\\s*:\\s*(\\d+)/m.exec(await Bun.file('/proc/self/sched').text())?.[1]
    console.log(done, policy)
  `
    const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' })
    const [done, policy] = (await new Response(child.stdout).text()).trim().split(' ')
    // Where the C library has no such call, nothing changes.
    if (done === 'true') expect(policy).toBe('3')
    else expect(policy).toBe('0')
  },
)
