// Runs the commands of documents as a reader would, by a shell with `comet` on its path, but
// against a server of the test's own, and in small.

import { ChildProcess } from './child-process.ts'
import { COMET, type CometServer } from './comet.ts'
import {
  type DocumentedCommand,
  documentedCommands,
  pathOf,
  readDocument,
} from './documented-commands.ts'

/** For servers that are started besides the test's. */
export const ANY_PLACES = '--listen 127.0.0.1:0 --control 127.0.0.1:0 --db :memory:'

/** What is less in a test than in a document. */
const SMALLER: readonly (readonly [from: RegExp, to: string])[] = [
  [/--connections (10k|1m)\b/, '--connections 100'],
  [/--users 10k\b/, '--users 100'],
  [/--users 1m\b/, '--users 1000'],
  [/--storm 15k\b/, '--storm 200 --hold 1s'],
  [/--ramp 10s\b/, '--ramp 1s'],
  [/--duration (30|60)s\b/, '--duration 4s'],
  [/--duration 8s\b/, '--duration 6s'],
  [/--duration (15|50)s\b/, '--duration 1s'],
  [/--rate (16666|5k|2k)\b/, '--rate 1000'],
]

/** Starts the commands of documents, with the addresses of a server of the test. */
export class DocumentedShell {
  readonly #folder: string
  readonly #server: CometServer

  /** `folder` is where the commands run. */
  static async open(folder: string, server: CometServer): Promise<DocumentedShell> {
    await Bun.$`ln -sf ${COMET} ${folder}/comet`
    return new DocumentedShell(folder, server)
  }

  private constructor(folder: string, server: CometServer) {
    this.#folder = folder
    this.#server = server
  }

  /** Starts one command line; `pairs` are further replacements, each of what is there. */
  start(line: string, pairs: readonly (readonly [from: string, to: string])[] = []): ChildProcess {
    const adapted = pairs.reduce((text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`there is no ${from} in ${text}`)
      return text.replaceAll(from, to)
    }, this.#adapted(line))
    const isOne = /^(comet|curl) [^|]*$/.test(adapted)
    return new ChildProcess(['bash', '-c', isOne ? `exec ${adapted}` : adapted], {
      name: line,
      cwd: this.#folder,
      env: {
        PATH: `${this.#folder}:${process.env['PATH']}:/usr/sbin`,
        COMET_PUBLISH_CONTROL: this.#server.controlUrl,
        COMET_LISTEN_URL: this.#server.publicUrl,
      },
    })
  }

  #adapted(line: string): string {
    const { publicPort, controlPort, publicUrl, controlUrl } = this.#server
    const path = line.includes('--format') ? 'stream' : 'test'
    const local = line
      .replaceAll('127.0.0.1:8000', `127.0.0.1:${publicPort}`)
      .replaceAll('127.0.0.1:8001', `127.0.0.1:${controlPort}`)
      .replace(/^comet flood --/, `comet flood ${publicUrl}/${path}/{id} --`)
      .replace(/^comet gen (?!.*--post)/, `comet gen ${controlUrl} `)
      .replace(/^comet health(?! unix)/, `comet health ${controlUrl}`)
    return SMALLER.reduce((text, [from, to]) => text.replace(from, to), local)
  }
}

/** The lines of a block, which must be as many as are taken; the first is `lines[0]`. */
export async function commandsOf(document: string, name: string): Promise<DocumentedCommand[]> {
  const commands = documentedCommands(await readDocument(document), name)
  if (commands.length === 0) throw new Error(`${pathOf(document)} has no block ${name}`)
  return commands
}

/** Those lines, without what they announce. */
export async function linesOf(document: string, name: string): Promise<string[]> {
  return (await commandsOf(document, name)).map(({ line }) => line)
}
