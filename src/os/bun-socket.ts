// What the sockets of Bun 1.4.5 have and its types lack: their descriptors.

/** Undefined where there is no socket, or where it has none. */
export function descriptorOf(socket: object | null | undefined): number | undefined {
  return (socket as { readonly fd?: number } | null | undefined)?.fd
}

/** An option of `Bun.connect`, which then owns the descriptor of an open socket. */
export function overDescriptor(descriptor: number): { readonly unix: string } {
  return { fd: descriptor } as unknown as { readonly unix: string }
}

/** Closes the descriptor alone; `terminate` would set an option before, which its copies share. */
export function closeDescriptor(socket: object): void {
  ;(socket as { close(): void }).close()
}
