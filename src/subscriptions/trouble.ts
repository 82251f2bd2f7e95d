// What of the database's errors is an operator's matter, in plain words; the others are bugs.

import type { SQLiteError } from 'bun:sqlite'

const TROUBLES: Readonly<Record<string, string>> = {
  SQLITE_FULL: 'its disk is full',
  SQLITE_IOERR: 'its disk is full or fails, or its file may not grow',
  SQLITE_READONLY: 'its file or disk may only be read',
  SQLITE_CANTOPEN: 'its files cannot be opened',
  SQLITE_CORRUPT: 'its file is damaged',
  SQLITE_NOTADB: 'its file is damaged',
}

/** Why the database takes no changes; null if that is a bug. */
export function storageTrouble({ code = '' }: Pick<SQLiteError, 'code'>): string | null {
  // Some say more: SQLITE_IOERR_WRITE.
  const kind = code.split('_', 2).join('_')
  const words = TROUBLES[kind]
  return words === undefined ? null : `${words} (${code})`
}
