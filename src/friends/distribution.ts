// How many users have how many followers: the figures, for programs and for people, as text and as
// a picture. The schema is the one source for the JSON's fields; they are stable. Pure: it reads no
// store and writes no file.

import { type Static, Type } from '@sinclair/typebox'
import { formatCount } from '../core/units.ts'

const Count = Type.Integer({ minimum: 0 })

export const FriendsStats = Type.Object(
  {
    users: Count,
    subscriptions: Count,
    followers: Type.Object(
      { mean: Type.Number({ minimum: 0 }), median: Count, p99: Count, max: Count },
      { description: 'Of a user; those without followers count, too.' },
    ),
    histogram: Type.Array(
      Type.Object({
        from: Type.Integer({ minimum: 0, description: 'Fewest followers of the bin.' }),
        to: Type.Integer({ minimum: 0, description: 'Most followers of the bin.' }),
        users: Type.Integer({ minimum: 0, description: 'Users with from … to followers.' }),
        atLeast: Type.Integer({ minimum: 0, description: 'Users with `from` followers or more.' }),
      }),
      { description: 'One bin for no followers, then ten a decade as far as they hold numbers.' },
    ),
  },
  { $id: 'FriendsStats' },
)
export type FriendsStats = Static<typeof FriendsStats>

/** Bins of a decade; the low decades have fewer, for want of whole numbers. */
const BINS_PER_DECADE = 10

/** A place in a chart: followers and users, or a share of each axis from 0 to 1. */
type Point = { readonly x: number; readonly y: number }

/**
 * Counts how followers are distributed over users.
 *
 * @param followersPerUser followers of each user, in any order; users that are missing have none
 * @param users all users there are, with and without followers
 * @throws RangeError if more users than there are have followers
 */
export function followersDistribution(
  followersPerUser: Iterable<number> | Uint32Array,
  users: number,
): FriendsStats {
  // Only users with followers; those without are the first of the order and need no place in it.
  const sorted = new Uint32Array(users)
  let followed = 0
  let subscriptions = 0
  for (const followers of followersPerUser) {
    if (followers === 0) continue
    if (followed === users) throw new RangeError(`more than ${users} users have followers`)
    sorted[followed++] = followers
    subscriptions += followers
  }
  // In order once sorted: the places that were not filled are the users without followers.
  sorted.sort()
  /** The fewest followers that a share of all users does not exceed (nearest rank). */
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * users) - 1)] ?? 0
  return {
    users,
    subscriptions,
    followers: {
      mean: users > 0 ? subscriptions / users : 0,
      median: rank(0.5),
      p99: rank(0.99),
      max: rank(1),
    },
    histogram: histogramOf(sorted),
  }
}

/** Bins of 0, 1, 2, 3, 4–5, 6, 7, … followers; the bounds do not depend on the data. */
function histogramOf(sorted: Uint32Array): FriendsStats['histogram'] {
  const bins: FriendsStats['histogram'] = []
  let from = 0
  let step = 0
  for (let at = 0; at < sorted.length; ) {
    // The first bound above this bin's begin; several are the same where bins are narrow.
    while (boundAt(step) <= from) step++
    const next = boundAt(step)
    const begin = at
    while (at < sorted.length && (sorted[at] as number) < next) at++
    bins.push({ from, to: next - 1, users: at - begin, atLeast: sorted.length - begin })
    from = next
  }
  return bins
}

function boundAt(step: number): number {
  return Math.ceil(10 ** (step / BINS_PER_DECADE))
}

/** The figures for people, and a log–log picture in plain characters. */
export function friendsSummary(stats: FriendsStats): string {
  const { users, subscriptions, followers } = stats
  const rows: [string, string][] = [
    ['users', `${formatCount(users)}, without followers ${formatCount(withoutFollowers(stats))}`],
    ['friends', `${formatCount(subscriptions)} subscriptions`],
    ['followers', spread(followers)],
  ]
  const text = rows.map(([name, value]) => `${name.padEnd(9)} ${value}`)
  return [...text, '', ...plainChart(stats)].join('\n')
}

function spread({ mean, median, p99, max }: FriendsStats['followers']): string {
  const [half, most, all] = [median, p99, max].map(formatCount)
  return `mean ${mean.toFixed(1)}, median ${half}, p99 ${most}, max ${all}`
}

function withoutFollowers({ histogram }: FriendsStats): number {
  return histogram[0]?.users ?? 0
}

/** Decades that an axis from 1 must have to show a value. */
function decadesFor(value: number): number {
  return Math.max(1, Math.ceil(Math.log10(Math.max(1, value))))
}

/** Users with at least so many followers, as counted. An axis with a logarithm has no 0. */
function measured({ histogram }: FriendsStats): Point[] {
  return histogram
    .filter(({ from }) => from > 0)
    .map(({ from, atLeast }) => ({ x: from, y: atLeast }))
}

/**
 * The same as the model foretells it for many users who follow m each: a share of
 * m (m + 1) / ((k + m) (k + m + 1)) has at least k followers. From S. N. Dorogovtsev et al.,
 * Physical Review Letters 85 (2000), 4633, for the graph of Barabási & Albert, Science 286 (1999).
 */
function foretold({ users, followers }: FriendsStats, count: number): Point[] {
  const m = followers.mean
  const decades = decadesFor(followers.max)
  const points = Array.from({ length: count }, (_, at) => {
    const k = 10 ** ((at * decades) / (count - 1))
    return { x: k, y: (users * m * (m + 1)) / ((k + m) * (k + m + 1)) }
  })
  return points.filter(({ y }) => y >= 1)
}

/** Where a point lies on axes with logarithms, as a share of each. */
function shareOf({ x, y }: Point, { users, followers }: FriendsStats): Point {
  return { x: Math.log10(x) / decadesFor(followers.max), y: Math.log10(y) / decadesFor(users) }
}

const COLUMNS = 60
const ROWS = 15

/** The widest label is 4,294,967,295. */
const LABEL_COLUMNS = 13

function plainChart(stats: FriendsStats): string[] {
  const grid = Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(' '))
  const put = (point: Point, mark: string): void => {
    const { x, y } = shareOf(point, stats)
    const row = grid[ROWS - 1 - Math.round(y * (ROWS - 1))]
    if (row !== undefined) row[Math.round(x * (COLUMNS - 1))] = mark
  }
  for (const point of foretold(stats, COLUMNS)) put(point, '.')
  for (const point of measured(stats)) put(point, '*')

  const left = new Array<string>(ROWS).fill('')
  const down = decadesFor(stats.users)
  for (let decade = 0; decade <= down; decade++) {
    left[ROWS - 1 - Math.round((decade / down) * (ROWS - 1))] = formatCount(10 ** decade)
  }
  const across = decadesFor(stats.followers.max)
  let ticks = '-'.repeat(COLUMNS)
  let labels = ' '.repeat(COLUMNS + LABEL_COLUMNS)
  for (let decade = 0; decade <= across; decade++) {
    const column = Math.round((decade / across) * (COLUMNS - 1))
    const label = formatCount(10 ** decade)
    const begin = Math.max(0, column - Math.floor(label.length / 2))
    ticks = `${ticks.slice(0, column)}+${ticks.slice(column + 1)}`
    labels = labels.slice(0, begin) + label + labels.slice(begin + label.length)
  }
  const margin = ' '.repeat(LABEL_COLUMNS)
  return [
    'users with at least so many followers (* counted, . foretold by the model)',
    ...grid.map((row, at) => `${left[at]?.padStart(LABEL_COLUMNS)} |${row.join('')}`.trimEnd()),
    `${margin} +${ticks}`,
    `${margin}  ${labels}`.trimEnd(),
    `${margin}  ${'followers'.padStart(COLUMNS / 2 + 4)}`,
  ]
}

const WIDTH_PX = 760
const HEIGHT_PX = 540
/** Where the axes are: the rest is titles and labels. */
const FRAME = { left: 110, right: 730, top: 112, bottom: 460 }

const COLORS = {
  ground: '#ffffff',
  words: '#57606a',
  figures: '#1f2328',
  grid: '#e4e8ec',
  counted: '#0969da',
  foretold: '#bc4c00',
}

const TITLE = 'How many users have how many followers'
const DASHES = `fill="none" stroke="${COLORS.foretold}" stroke-width="2" stroke-dasharray="6 4"`

/** The distribution as a log–log chart: an SVG that needs no font, no style and no network. */
export function friendsSvg(stats: FriendsStats): string {
  const { users, subscriptions, followers } = stats
  const figures =
    `${formatCount(users)} users, ${formatCount(subscriptions)} subscriptions; ` +
    `followers a user: ${spread(followers)}`
  const note =
    'Both axes are logarithmic. ' +
    `Users without followers, who are not shown: ${formatCount(withoutFollowers(stats))}.`
  const middle = (FRAME.left + FRAME.right) / 2
  const halfway = (FRAME.top + FRAME.bottom) / 2
  const upright = `text-anchor="middle" transform="rotate(-90 30 ${halfway})"`
  const size = `width="${WIDTH_PX}" height="${HEIGHT_PX}"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${WIDTH_PX} ${HEIGHT_PX}"`,
    ` role="img" aria-label="${TITLE}">`,
    `<rect ${size} fill="${COLORS.ground}"/>`,
    `<g font-family="'DejaVu Sans', Verdana, Helvetica, sans-serif" font-size="13"`,
    ` fill="${COLORS.words}">`,
    label(24, 36, TITLE, `font-size="20" fill="${COLORS.figures}"`),
    label(24, 62, figures),
    ...axes(stats),
    label(middle, FRAME.bottom + 44, 'followers', 'text-anchor="middle"'),
    label(30, halfway, 'users with at least so many followers', upright),
    ...curves(stats),
    ...legend(),
    label(24, HEIGHT_PX - 12, note, 'font-size="11"'),
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function label(x: number, y: number, text: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${text}</text>`
}

function xOf(share: number): number {
  return FRAME.left + share * (FRAME.right - FRAME.left)
}

function yOf(share: number): number {
  return FRAME.bottom - share * (FRAME.bottom - FRAME.top)
}

/** A line and a label for each power of ten. */
function axes({ users, followers }: FriendsStats): string[] {
  const lines: string[] = []
  const across = decadesFor(followers.max)
  for (let decade = 0; decade <= across; decade++) {
    const x = xOf(decade / across)
    const grid = `M${x.toFixed(1)} ${FRAME.top}V${FRAME.bottom}`
    lines.push(`<path d="${grid}" stroke="${COLORS.grid}"/>`)
    lines.push(label(x, FRAME.bottom + 20, formatCount(10 ** decade), 'text-anchor="middle"'))
  }
  const down = decadesFor(users)
  for (let decade = 0; decade <= down; decade++) {
    const y = yOf(decade / down)
    const grid = `M${FRAME.left} ${y.toFixed(1)}H${FRAME.right}`
    lines.push(`<path d="${grid}" stroke="${COLORS.grid}"/>`)
    lines.push(label(FRAME.left - 8, y + 4, formatCount(10 ** decade), 'text-anchor="end"'))
  }
  return lines
}

function curves(stats: FriendsStats): string[] {
  const place = (point: Point): [string, string] => {
    const { x, y } = shareOf(point, stats)
    return [xOf(x).toFixed(1), yOf(y).toFixed(1)]
  }
  const line = foretold(stats, 100).map((point) => place(point).join(' '))
  const dots = measured(stats).map((point) => {
    const [x, y] = place(point)
    return `<circle cx="${x}" cy="${y}" r="4"/>`
  })
  const path = line.length > 0 ? `<path d="M${line.join('L')}" ${DASHES}/>` : ''
  return [path, `<g fill="${COLORS.counted}">`, ...dots, '</g>']
}

/** Above the frame, because dots may be anywhere in it. */
function legend(): string[] {
  const x = FRAME.left
  const y = FRAME.top - 18
  return [
    `<circle cx="${x + 6}" cy="${y - 4}" r="4" fill="${COLORS.counted}"/>`,
    label(x + 18, y, 'counted'),
    `<path d="M${x + 100} ${y - 4}h30" ${DASHES}/>`,
    label(x + 138, y, 'Barabási–Albert model, which in the end falls as 1 / followers²'),
  ]
}
