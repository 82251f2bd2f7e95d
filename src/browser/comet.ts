// The module that pages and programs import: `GET /comet.js` of the public port, and the package
// for npm.

import { CometError, type CometGapStream, type CometStream, type ConnectOptions } from './api.ts'
import { Stream } from './stream.ts'

/**
 * Opens a stream, and keeps it open until it is closed.
 *
 * @param url such as `/stream/alice`; relative to the page, absolute where there is none
 */
export function connect(url: string, options: ConnectOptions & { gaps: true }): CometGapStream
export function connect(url: string, options?: ConnectOptions): CometStream
export function connect(url: string, options: ConnectOptions = {}): CometStream {
  return new Stream(url, options)
}

export { CometError }
