// What nodes tell each other that they can do, as bits ("Distribution Protocol", ERTS User's Guide,
// distribution flags).

const FLAGS = {
  extendedReferences: 0x4n,
  distMonitor: 0x8n,
  funTags: 0x10n,
  distMonitorName: 0x20n,
  newFunTags: 0x80n,
  extendedPidsPorts: 0x100n,
  exportPtrTag: 0x200n,
  bitBinaries: 0x400n,
  newFloats: 0x800n,
  unicodeIo: 0x1000n,
  smallAtomTags: 0x4000n,
  utf8Atoms: 0x10000n,
  mapTag: 0x20000n,
  bigCreation: 0x40000n,
  sendSender: 0x80000n,
  bigSeqtraceLabels: 0x100000n,
  handshake23: 0x1000000n,
  unlinkId: 0x2000000n,
  /** Stands for all that Erlang/OTP 25 cannot do without. */
  mandatory25Digest: 0x4000000n,
  v4Identifiers: 1n << 34n,
  alias: 1n << 35n,
} as const

/**
 * What comet offers. Not `PUBLISHED`, which would make it a member of the cluster instead of a hidden
 * node; no atom cache and no fragments, so that each message stands alone; no remote `spawn`.
 */
export const OWN_FLAGS = Object.values(FLAGS).reduce((all, flag) => all | flag, 0n)

/** Without these comet cannot read what a node sends, or be answered by it. */
const REQUIRED =
  FLAGS.extendedReferences |
  FLAGS.extendedPidsPorts |
  FLAGS.utf8Atoms |
  FLAGS.newFloats |
  FLAGS.bigCreation |
  FLAGS.handshake23

/** Can comet talk to a node with these flags? Every Erlang/OTP from 23 on has them. */
export function areEnough(flags: bigint): boolean {
  return (flags & REQUIRED) === REQUIRED
}
