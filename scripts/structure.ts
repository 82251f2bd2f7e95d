// Checks the rules of the tree that no linter knows: which folder may import which, where the
// framework may appear, how long a file may be. Prints each breach; exits 1 if there is one.

const root = `${import.meta.dir}/..`

/** Each folder of src/ and the folders it may import, besides itself. Imports go one way. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  os: ['core'],
  report: ['core'],
  subscriptions: ['core', 'os'],
  hub: ['core', 'os', 'subscriptions'],
  http: ['core', 'os', 'hub'],
  workers: ['core', 'os', 'http', 'hub'],
  public: ['core', 'os', 'http', 'hub', 'workers'],
  erlang: ['core', 'os', 'hub'],
  control: ['core', 'os', 'http', 'hub', 'subscriptions', 'workers', 'erlang'],
  // Its page, which is in it, runs in a browser and imports only what does so too.
  dashboard: ['core', 'os', 'report', 'hub', 'workers', 'erlang', 'control'],
  server: [
    'core',
    'os',
    'subscriptions',
    'hub',
    'http',
    'workers',
    'public',
    'erlang',
    'control',
    'dashboard',
    'cli',
    'doctor',
  ],
  // A client that imported the server's code would hide a bug in the protocol.
  flood: ['core', 'os', 'report', 'cli', 'doctor'],
  // The search for the highest rate receives its messages by what flood is made of.
  gen: ['core', 'os', 'cli', 'flood'],
  friends: ['core', 'os', 'subscriptions', 'cli'],
  doctor: ['core', 'os', 'cli'],
  cli: ['core', 'os'],
  // Imports each tool's command when no subprocess is asked for.
  'main.ts': ['core', 'os', 'cli'],
}

/** The framework stays at the edge, so that the rest outlives it. */
const MAY_IMPORT_ELYSIA =
  /^src\/(public\/(app|chunked)|control\/(app|messages|users|subscriptions|metrics)|[^/]+\/routes)\.ts$/

/** Tests drive several folders at once. */
const IS_TEST = /\.(test|contract|fixture)\.ts$/

const LINES_MAX = 450
/** What breaks the rules in one file. */
export function breaches(path: string, source: string): string[] {
  const found: string[] = []
  const lines = source.split('\n')
  if (lines.length > LINES_MAX) found.push(`has ${lines.length} lines; ${LINES_MAX} are the most`)
  if (!source.startsWith('//')) found.push('does not open with a comment that says what it owns')
  if (!path.startsWith('src/') || IS_TEST.test(path)) return found
  const [, folder = ''] = path.split('/')
  const allowed = MAY_IMPORT[folder]
  if (allowed === undefined) found.push(`lies in src/${folder}, which has no place in the order`)
  for (const [, from = ''] of source.matchAll(/(?:from|import) '([^']+)'/g)) {
    if (/^(elysia|@elysia\/.*)$/.test(from) && !MAY_IMPORT_ELYSIA.test(path)) {
      found.push(`imports ${from}, which only routes, transports and the two apps of server/ may`)
    }
    if (!from.startsWith('.')) continue
    const target = new URL(from, `file:///${path}`).pathname.slice(1)
    const [top, targetFolder = ''] = target.split('/')
    const inside = top !== 'src' || targetFolder === folder
    if (!inside && allowed?.includes(targetFolder) === false) {
      found.push(`imports ${target}, against the direction of imports`)
    }
  }
  return found
}

if (import.meta.main) {
  const found: string[] = []
  for (const path of new Bun.Glob('{src,scripts,bench}/**/*.ts').scanSync(root)) {
    const source = await Bun.file(`${root}/${path}`).text()
    for (const breach of breaches(path, source)) found.push(`${path} ${breach}`)
  }
  for (const breach of found.sort()) console.error(breach)
  console.error(found.length === 0 ? 'The structure holds.' : `${found.length} breaches.`)
  process.exit(found.length === 0 ? 0 : 1)
}
