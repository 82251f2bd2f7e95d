// How many users have how many followers: the figures, which are stable JSON, and a log–log chart
// of them as plain text and as SVG.

import type { Database } from 'bun:sqlite'
import { type Static, Type } from '@sinclair/typebox'
import { formatCount, formatQuantity } from '../core/units.ts'

const Count = Type.Integer({ minimum: 0 })

export const FriendsStats = Type.Object(
  {
    users: Count,
    subscriptions: Count,
    followers: Type.Object(
      { mean: Type.Number({ minimum: 0 }), median: Count, p99: Count, max: Count },
      { description: 'Followers of a user, users without followers included.' },
    ),
    histogram: Type.Array(
      Type.Object({
        from: Type.Integer({ minimum: 0, description: 'Fewest followers of the bin.' }),
        to: Type.Integer({ minimum: 0, description: 'Most followers of the bin.' }),
        users: Type.Integer({ minimum: 0, description: 'Users with from … to followers.' }),
        atLeast: Type.Integer({ minimum: 0, description: 'Users with `from` followers or more.' }),
      }),
      { description: 'A bin for no followers, then up to ten for each decade.' },
    ),
  },
  { $id: 'FriendsStats' },
)
export type FriendsStats = Static<typeof FriendsStats>

export interface Degrees {
  /** Users who follow or are followed. */
  readonly users: number
  /** Followers of each user who has any, in order of ids. */
  readonly followers: Uint32Array
}

export function followersPerUser(database: Database): Degrees {
  const { users, subjects } = database
    .query(
      `SELECT (SELECT count(*) FROM (SELECT subscriber FROM subscriptions
                                     UNION SELECT subject FROM subscriptions)) AS users,
              (SELECT count(DISTINCT subject) FROM subscriptions) AS subjects`,
    )
    .get() as { users: number; subjects: number }
  const followers = new Uint32Array(subjects)
  let at = 0
  const rows = database
    .query('SELECT count(*) AS followers FROM subscriptions GROUP BY subject ORDER BY subject')
    .iterate() as Iterable<{ followers: number }>
  for (const row of rows) followers[at++] = row.followers
  return { users, followers }
}

/**
 * Computes how followers are distributed over users.
 *
 * @param followersPerUser followers of each user, in any order; users that are missing have none
 * @param users all users, with and without followers
 * @throws RangeError if more users than that have followers
 */
export function followersDistribution(
  followersPerUser: Iterable<number> | Uint32Array,
  users: number,
): FriendsStats {
  const sorted = new Uint32Array(users)
  let followed = 0
  let subscriptions = 0
  for (const followers of followersPerUser) {
    if (followers === 0) continue
    if (followed === users) throw new RangeError(`more than ${users} users have followers`)
    sorted[followed++] = followers
    subscriptions += followers
  }
  // The places left at 0 are the users without followers.
  sorted.sort()
  /** The fewest followers that a share of all users does not exceed (nearest rank). */
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * users) - 1)] ?? 0
  const mean = users > 0 ? subscriptions / users : 0
  const followers = { mean, median: rank(0.5), p99: rank(0.99), max: rank(1) }
  return { users, subscriptions, followers, histogram: histogramOf(sorted) }
}

/** Low decades have fewer bins, because there are not enough whole numbers. */
const BINS_PER_DECADE = 10

/** Bins of 0, 1, 2, 3, 4–5, 6, 7, … followers; the bounds do not depend on the data. */
function histogramOf(sorted: Uint32Array): FriendsStats['histogram'] {
  const bins: FriendsStats['histogram'] = []
  const boundAt = (step: number): number => Math.ceil(10 ** (step / BINS_PER_DECADE))
  let from = 0
  let step = 0
  for (let at = 0; at < sorted.length; ) {
    // The first bound above `from`; several bounds are equal where bins are narrow.
    while (boundAt(step) <= from) step++
    const next = boundAt(step)
    const begin = at
    while (at < sorted.length && (sorted[at] as number) < next) at++
    bins.push({ from, to: next - 1, users: at - begin, atLeast: sorted.length - begin })
    from = next
  }
  return bins
}

/** The figures for people, and the chart in plain characters. */
export function friendsSummary(stats: FriendsStats): string {
  const { users, subscriptions } = stats
  return [
    `users     ${formatCount(users)}, without followers ${formatCount(withoutFollowers(stats))}`,
    `friends   ${formatQuantity(subscriptions, 'subscription')}`,
    `followers ${followersText(stats)}`,
    '',
    ...plainChart(stats),
  ].join('\n')
}

function followersText({ followers: { mean, median, p99, max } }: FriendsStats): string {
  const [half, most, all] = [median, p99, max].map(formatCount)
  return `mean ${mean.toFixed(1)}, median ${half}, p99 ${most}, max ${all}`
}

function withoutFollowers({ histogram }: FriendsStats): number {
  return histogram[0]?.users ?? 0
}

const Y_AXIS = 'users with at least this many followers'

/** A place in the chart: followers and users, or a share of each axis from 0 to 1. */
type Point = { readonly x: number; readonly y: number }

/** Decades that an axis from 1 needs to show a value. */
function decadesFor(value: number): number {
  return Math.max(1, Math.ceil(Math.log10(Math.max(1, value))))
}

/** The label of each power of ten on an axis, and its place as a share of the axis. */
function ticksFor(value: number): { share: number; label: string }[] {
  const decades = decadesFor(value)
  return Array.from({ length: decades + 1 }, (_, decade) => ({
    share: decade / decades,
    label: formatCount(10 ** decade),
  }))
}

/** Users with at least as many followers, as counted. A logarithmic axis has no 0. */
function counted(stats: FriendsStats): Point[] {
  return stats.histogram
    .filter(({ from }) => from > 0)
    .map(({ from, atLeast }) => shareOf({ x: from, y: atLeast }, stats))
}

/**
 * The same as the model predicts it for many users who follow m each: a share of
 * m (m + 1) / ((k + m) (k + m + 1)) has at least k followers. From S. N. Dorogovtsev et al.,
 * Physical Review Letters 85 (2000), 4633, for the graph of Barabási & Albert, Science 286 (1999).
 */
function predicted(stats: FriendsStats, count: number): Point[] {
  const { users, followers } = stats
  const m = followers.mean
  const decades = decadesFor(followers.max)
  const points = Array.from({ length: count }, (_, at) => {
    const k = 10 ** ((at * decades) / (count - 1))
    return { x: k, y: (users * m * (m + 1)) / ((k + m) * (k + m + 1)) }
  })
  return points.filter(({ y }) => y >= 1).map((point) => shareOf(point, stats))
}

/** The place of a point on logarithmic axes, as a share of each. */
function shareOf({ x, y }: Point, { users, followers }: FriendsStats): Point {
  return { x: Math.log10(x) / decadesFor(followers.max), y: Math.log10(y) / decadesFor(users) }
}

const COLUMNS = 60
const ROWS = 15
/** The widest label is 4,294,967,295. */
const LABEL_COLUMNS = 13

function plainChart(stats: FriendsStats): string[] {
  const rowOf = (share: number): number => ROWS - 1 - Math.round(share * (ROWS - 1))
  const columnOf = (share: number): number => Math.round(share * (COLUMNS - 1))
  const grid = Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(' '))
  const put = ({ x, y }: Point, mark: string): void => {
    const row = grid[rowOf(y)]
    if (row !== undefined) row[columnOf(x)] = mark
  }
  for (const point of predicted(stats, COLUMNS)) put(point, '.')
  for (const point of counted(stats)) put(point, '*')

  const left = new Array<string>(ROWS).fill('')
  for (const { share, label } of ticksFor(stats.users)) left[rowOf(share)] = label
  let ticks = '-'.repeat(COLUMNS)
  let labels = ' '.repeat(COLUMNS + LABEL_COLUMNS)
  for (const { share, label } of ticksFor(stats.followers.max)) {
    const column = columnOf(share)
    const begin = Math.max(0, column - Math.floor(label.length / 2))
    ticks = `${ticks.slice(0, column)}+${ticks.slice(column + 1)}`
    labels = labels.slice(0, begin) + label + labels.slice(begin + label.length)
  }
  const margin = ' '.repeat(LABEL_COLUMNS)
  return [
    `${Y_AXIS} (* counted, . predicted by the model)`,
    ...grid.map((row, at) => `${left[at]?.padStart(LABEL_COLUMNS)} |${row.join('')}`.trimEnd()),
    `${margin} +${ticks}`,
    `${margin}  ${labels}`.trimEnd(),
    `${margin}  ${'followers'.padStart(COLUMNS / 2 + 4)}`,
  ]
}

const WIDTH_PX = 760
const HEIGHT_PX = 540
/** The area between the axes; the rest is titles and labels. */
const FRAME = { left: 110, right: 730, top: 112, bottom: 460 }

const COLORS = {
  ground: '#ffffff',
  words: '#57606a',
  figures: '#1f2328',
  grid: '#e4e8ec',
  counted: '#0969da',
  predicted: '#bc4c00',
}

const TITLE = 'How many users have how many followers'
const DASHES = `fill="none" stroke="${COLORS.predicted}" stroke-width="2" stroke-dasharray="6 4"`

/** The chart as an SVG that needs no font, no style and no network. */
export function friendsSvg(stats: FriendsStats): string {
  const { users, subscriptions, followers } = stats
  const figures =
    `${formatQuantity(users, 'user')}, ${formatQuantity(subscriptions, 'subscription')}; ` +
    `followers a user: ${followersText(stats)}`
  const note =
    'Both axes are logarithmic. ' +
    `Users without followers, not shown: ${formatCount(withoutFollowers(stats))}.`
  const halfway = (FRAME.top + FRAME.bottom) / 2
  const upright = `text-anchor="middle" transform="rotate(-90 30 ${halfway})"`
  const size = `width="${WIDTH_PX}" height="${HEIGHT_PX}"`
  const line = predicted(stats, 100).map(({ x, y }) => `${pixelX(x)} ${pixelY(y)}`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${WIDTH_PX} ${HEIGHT_PX}"`,
    ` role="img" aria-label="${TITLE}">`,
    `<rect ${size} fill="${COLORS.ground}"/>`,
    `<g font-family="'DejaVu Sans', Verdana, Helvetica, sans-serif" font-size="13"`,
    ` fill="${COLORS.words}">`,
    label(24, 36, TITLE, `font-size="20" fill="${COLORS.figures}"`),
    label(24, 62, figures),
    ...ticksFor(followers.max).flatMap(({ share, label: text }) => [
      `<path d="M${pixelX(share)} ${FRAME.top}V${FRAME.bottom}" stroke="${COLORS.grid}"/>`,
      label(pixelX(share), FRAME.bottom + 20, text, 'text-anchor="middle"'),
    ]),
    ...ticksFor(users).flatMap(({ share, label: text }) => [
      `<path d="M${FRAME.left} ${pixelY(share)}H${FRAME.right}" stroke="${COLORS.grid}"/>`,
      label(FRAME.left - 8, pixelY(share) + 4, text, 'text-anchor="end"'),
    ]),
    label((FRAME.left + FRAME.right) / 2, FRAME.bottom + 44, 'followers', 'text-anchor="middle"'),
    label(30, halfway, Y_AXIS, upright),
    line.length > 0 ? `<path d="M${line.join('L')}" ${DASHES}/>` : '',
    `<g fill="${COLORS.counted}">`,
    ...counted(stats).map(({ x, y }) => `<circle cx="${pixelX(x)}" cy="${pixelY(y)}" r="4"/>`),
    '</g>',
    ...legend(),
    label(24, HEIGHT_PX - 12, note, 'font-size="11"'),
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function label(x: number, y: number, text: string, attributes = ''): string {
  return `<text x="${rounded(x)}" y="${rounded(y)}" ${attributes}>${text}</text>`
}

function pixelX(share: number): number {
  return rounded(FRAME.left + share * (FRAME.right - FRAME.left))
}

function pixelY(share: number): number {
  return rounded(FRAME.bottom - share * (FRAME.bottom - FRAME.top))
}

function rounded(pixels: number): number {
  return Math.round(pixels * 10) / 10
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
