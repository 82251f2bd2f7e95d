// Goal: --keepalive cuts no client that is there though a queue on the way drops bursts, and all
// that have vanished. Method: a router with queues of fifty packets between a server and three
// thousand silent streams of which some vanish, and bursts besides that make all lose packets.

import { expect, test } from 'bun:test'
import { waitFor } from '../../support/child-process.ts'
import { NONE_CLOSED, serve, start } from '../../support/comet.ts'
import { QueuedNetwork } from '../../support/network.ts'

const STREAMS = 3_000
const VANISHED = 30
const INTERVAL_MS = 6_000
/** Milliseconds between two bursts, each as large as if all streams were sent a probe at once. */
const BLAST_EVERY_MS = 1_000

const why = await QueuedNetwork.whyNot()
if (why !== null) console.error(`Left out: keepalive through a queue that drops bursts, as ${why}.`)

test.skipIf(why !== null)(
  '--keepalive through a queue that drops bursts cuts the clients that vanished, and no other',
  async () => {
    await using network = await QueuedNetwork.make()
    const { server: within, clients, serverAddress, socketFile } = network
    const ports = [
      ...['--anonymous', '--listen', `${serverAddress}:8000`, '--control', `unix:${socketFile}`],
    ]
    await using server = await serve([...ports, '--keepalive', `${INTERVAL_MS}ms`], {
      network: within,
    })
    const counts = ['--connections', STREAMS, '--silent-drop', `${(100 * VANISHED) / STREAMS}%`]
    const flood = ['flood', `${server.publicUrl}/test/{id}`, ...counts.map(String), '--json']
    await using flooding = start(flood, { network: clients })
    const streams = async () => (await server.stats()).streams
    await waitFor('all to come', async () => (await streams()).opened === STREAMS, 30_000)
    network.dropBursts()
    const overMs = performance.now() + 3 * INTERVAL_MS
    let blasts = 0
    while (performance.now() < overMs) {
      await network.blast(STREAMS)
      blasts++
      await Bun.sleep(BLAST_EVERY_MS)
    }
    // Else the test proves nothing: of a burst hardly one packet in ten comes through.
    expect(network.dropped()).toBeGreaterThan(blasts * STREAMS)
    await waitFor('those who vanished to be found', async () => {
      return (await streams()).closed.client >= VANISHED
    })
    expect(await streams()).toMatchObject({
      open: STREAMS - VANISHED,
      closed: { ...NONE_CLOSED, client: VANISHED },
    })
    flooding.kill('SIGINT')
    const { stdout } = await flooding.finished
    const { connections, behaviour, errors } = JSON.parse(stdout)
    expect(connections).toMatchObject({ opened: STREAMS, failed: 0, closed: 0 })
    expect([behaviour.vanished, errors]).toEqual([VANISHED, {}])
  },
)
