// Checks the rules of the tree that no linter knows: which folder may import which, no circles, no
// type name twice, where the framework may appear, what no worker loads, how long a file and a line
// may be. Exits 1 for a breach.

const root = `${import.meta.dir}/..`

/** Each folder of src/ and the folders it may import, besides itself. Imports go one way. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  os: ['core'],
  report: ['core'],
  // It runs in browsers, Node and Bun, and is to be small.
  browser: [],
  log: ['core', 'os'],
  subscriptions: ['core', 'os'],
  hub: ['core', 'os', 'log', 'subscriptions'],
  // It brings entries in the order of all machines; what they are for, the hub knows.
  bus: ['core', 'os', 'log', 'hub', 'subscriptions', 'identity'],
  http: ['core', 'os', 'hub'],
  identity: ['core', 'os', 'http', 'hub', 'cli'],
  workers: ['core', 'os', 'http', 'log', 'hub', 'identity'],
  public: ['core', 'os', 'http', 'hub', 'identity', 'workers', 'browser'],
  erlang: ['core', 'os', 'hub'],
  control: [
    'core',
    'os',
    'http',
    'log',
    'bus',
    'hub',
    'identity',
    'subscriptions',
    'workers',
    'erlang',
  ],
  // Its page, which is in it, runs in a browser and imports only what does so too.
  dashboard: [
    'core',
    'os',
    'report',
    'manual',
    'browser',
    'bus',
    'hub',
    'workers',
    'erlang',
    'control',
  ],
  server: [
    'core',
    'os',
    'log',
    'bus',
    'subscriptions',
    'hub',
    'http',
    'workers',
    'identity',
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
  friends: ['core', 'os', 'subscriptions', 'bus', 'cli'],
  doctor: ['core', 'os', 'bus', 'cli'],
  client: ['core', 'os', 'cli'],
  token: ['core', 'os', 'hub', 'identity', 'cli'],
  cli: ['core', 'os', 'manual'],
  // Text, and how it is shown.
  manual: ['core'],
  // It loads the tools on demand: a worker's process has no command line.
  'main.ts': [
    'core',
    'os',
    'cli',
    'server',
    'flood',
    'gen',
    'friends',
    'doctor',
    'token',
    'client',
  ],
}

/** The framework stays at the edge, so that the rest outlives it. */
const MAY_IMPORT_ELYSIA =
  /^src\/(control\/(app|messages|users|subjects|subscriptions|tickets|metrics|feed|log)|dashboard\/(routes|manual-routes))\.ts$/

const TOO_LARGE_FOR_WORKERS =
  /^(elysia|@elysia\/.*|@sinclair\/typebox|node:(crypto|net|tty|dns|dns\/promises|stream|http|https|tls))$/

/** Tests drive several folders at once. */
const IS_TEST = /\.(test|contract|fixture)\.ts$/

const LINES_MAX = 450
const COLUMNS_MAX = 100

/** What breaks the rules in one file. */
function breaches(path: string, source: string): string[] {
  const found: string[] = []
  const lines = source.split('\n')
  if (lines.length > LINES_MAX) found.push(`has ${lines.length} lines; ${LINES_MAX} are the most`)
  if (!source.startsWith('//')) found.push('does not open with a comment that says what it owns')
  for (const [at, line] of lines.entries()) {
    if (isTooLong(line)) found.push(`line ${at + 1} has ${line.length} columns`)
  }
  if (!path.startsWith('src/') || IS_TEST.test(path)) return found
  const [, folder = ''] = path.split('/')
  const allowed = MAY_IMPORT[folder]
  if (allowed === undefined) found.push(`lies in src/${folder}, which has no place in the order`)
  for (const target of importsOf(path, source, [AT_LOAD, ON_DEMAND])) {
    if (/^(elysia|@elysia\/.*)$/.test(target) && !MAY_IMPORT_ELYSIA.test(path)) {
      found.push(`imports ${target}, which only routes and the app of the control port may`)
    }
    const [top, targetFolder = ''] = target.split('/')
    if (top === 'src' && targetFolder !== folder && allowed?.includes(targetFolder) === false) {
      found.push(`imports ${target}, against the direction of imports`)
    }
  }
  if (folder === 'public' && /: (Request|Response)\b/.test(code(source))) {
    found.push('knows Request or Response, which only the control port may')
  }
  return found
}

/** Strings cannot be broken, and no formatter does; a comment can. */
function isTooLong(line: string): boolean {
  return (
    line.length > COLUMNS_MAX && /^\s*(\/\/|\/\*|\*)/.test(line) && /\s\S+\s\S/.test(line.trim())
  )
}

function code(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
}

const AT_LOAD = /(?:from|import) '([^']+)'/g
const TYPES_ALONE = /^(?:import|export) type [^']* from '[^']+'/gm
const ON_DEMAND = /\bimport\('([^']+)'\)/g

/** What a file imports: paths from the root of the tree, and names of packages. */
function importsOf(path: string, source: string, kinds: readonly RegExp[]): string[] {
  return kinds
    .flatMap((kind) => [...source.matchAll(kind)])
    .map(([, from = '']) =>
      from.startsWith('.') ? new URL(from, `file:///${path}`).pathname.slice(1) : from,
    )
}

/**
 * Circles of imports among files, each once, by the file that closes it. What is imported on demand
 * is there by then.
 */
function circles(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]) => {
    const at = way.indexOf(path)
    if (at >= 0) found.push(`${way.slice(at).join(' → ')} → ${path} is a circle of imports`)
    if (at >= 0 || done.has(path)) return
    for (const target of importsOf(path, sources.get(path) ?? '', [AT_LOAD])) {
      if (sources.has(target)) visit(target, [...way, path])
    }
    done.add(path)
  }
  for (const path of sources.keys()) visit(path, [])
  return found
}

/**
 * Packages that a worker would load at its start and need not: each takes half a megabyte to three
 * of its memory, and a million streams have 55 workers.
 */
function loadedByWorkers(sources: ReadonlyMap<string, string>): string[] {
  const reached = new Set(['src/main.ts', 'src/server/worker.ts'])
  const found: string[] = []
  for (const path of reached) {
    const source = sources.get(path) ?? ''
    for (const target of importsOf(path, source.replace(TYPES_ALONE, ''), [AT_LOAD])) {
      if (sources.has(target)) reached.add(target)
      if (TOO_LARGE_FOR_WORKERS.test(target)) {
        found.push(`${path} imports ${target}, which every worker would load; import it on demand`)
      }
    }
  }
  return found
}

/** Types that are exported under one name by several files: a name means one thing. */
function duplicates(sources: ReadonlyMap<string, string>): string[] {
  const files = new Map<string, string[]>()
  for (const [path, source] of sources) {
    for (const [, name = ''] of source.matchAll(
      /^export (?:interface|type|abstract class|class) (\w+)/gm,
    )) {
      files.set(name, [...(files.get(name) ?? []), path])
    }
  }
  // A schema and its type have one name, in one file.
  return [...files]
    .filter(([, paths]) => new Set(paths).size > 1)
    .map(([name, paths]) => `${name} is exported by ${paths.join(' and ')}`)
}

if (import.meta.main) {
  const found: string[] = []
  const production = new Map<string, string>()
  for (const path of new Bun.Glob('{src,scripts,bench}/**/*.ts').scanSync(root)) {
    // What a bench compares comet with has packages of its own.
    if (path.includes('/node_modules/')) continue
    const source = await Bun.file(`${root}/${path}`).text()
    if (path.startsWith('src/') && !IS_TEST.test(path)) production.set(path, source)
    for (const breach of breaches(path, source)) found.push(`${path} ${breach}`)
  }
  found.push(...circles(production), ...duplicates(production), ...loadedByWorkers(production))
  for (const breach of found.sort()) console.error(breach)
  console.error(found.length === 0 ? 'The structure holds.' : `${found.length} breaches.`)
  process.exit(found.length === 0 ? 0 : 1)
}
