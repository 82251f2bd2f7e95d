// Goal: dashboard and alerts ask for metrics that there are, by the labels that they have, in
// queries that Prometheus understands, and the alerts fire when they are to. Method: the files as
// they are, the list of metrics, and promtool.

import { describe, expect, test } from 'bun:test'
import { YAML } from 'bun'
import { FAMILIES } from '../../../src/control/families.ts'
import { makeFolder } from '../../support/folder.ts'
import { PROMTOOL, promtool, sayIfPromtoolIsMissing } from '../../support/metrics.ts'

sayIfPromtoolIsMissing()
const withPromtool = test.skipIf(PROMTOOL === null)

const folder = `${import.meta.dir}/../../operate`

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity?: string }
  readonly annotations: { readonly summary?: string; readonly description?: string }
}

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly description?: string
  readonly datasource?: { readonly uid: string }
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
  readonly targets?: readonly { readonly expr: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string }[]
  }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
}

const rules = (
  YAML.parse(await Bun.file(`${folder}/alerts.yaml`).text()) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[]
  }
).groups.flatMap((group) => group.rules)
const dashboard = (await Bun.file(`${folder}/grafana.json`).json()) as Dashboard
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const queries = [
  ...panels.flatMap(({ targets }) => targets ?? []),
  ...dashboard.annotations.list,
].map(({ expr }) => expr)

/** Names of families in a query, and those that it has but we have not. */
function unknownIn(query: string): string[] {
  const names = query.match(/comet_[a-z_]+/g) ?? []
  return names.filter((name) => {
    const family = name.replace(/_(bucket|sum|count)$/, '')
    return !(family in FAMILIES) || (name !== family) !== isHistogram(family)
  })
}

function isHistogram(name: string): boolean {
  return Object.entries(FAMILIES).some(
    ([family, { type }]) => family === name && type === 'histogram',
  )
}

describe('the dashboard', () => {
  test.each(queries)('asks for metrics that there are: %s', (query) => {
    expect(query).toMatch(/comet_|up\{/)
    expect(unknownIn(query)).toEqual([])
  })

  test('is about all metrics but those that others are measured by', () => {
    const used = new Set(queries.flatMap((query) => query.match(/comet_[a-z_]+/g) ?? []))
    const unused = Object.keys(FAMILIES).filter((name) => {
      return !used.has(name) && !used.has(`${name}_bucket`)
    })
    expect(unused).toEqual([])
  })

  test('can be imported: its variables are its own, its panels lie beside each other', () => {
    const variables = dashboard.templating.list.map(({ name }) => name)
    expect(variables).toEqual(['datasource', 'job', 'instance'])
    for (const { title, datasource, description } of panels) {
      expect([title, datasource?.uid.slice(1)]).toEqual([title, '{datasource}'])
      expect(description).toMatch(/[.?]$/)
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    const places = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    )
    expect(new Set(places).size).toBe(places.length)
  })

  withPromtool('has queries that Prometheus understands', async () => {
    await using made = await makeFolder()
    const asRules = queries.map((query, at) => ({
      record: `query_${at}`,
      expr: query.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)/g, 'x'),
    }))
    const path = `${made.path}/queries.yaml`
    await Bun.write(path, JSON.stringify({ groups: [{ name: 'queries', rules: asRules }] }))
    expect(await promtool(['check', 'rules', path])).toBe('')
  })
})

describe('the alerts', () => {
  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s is explained', (_, rule) => {
    expect(unknownIn(rule.expr)).toEqual([])
    expect(rule.for).toMatch(/^\d+m$/)
    expect(['page', 'ticket']).toContain(rule.labels.severity ?? '')
    expect(rule.annotations.summary).toContain('{{ $labels.instance }}')
    expect(rule.annotations.description).toEndWith('.')
  })

  test('are all tested', async () => {
    const tests = await Bun.file(`${folder}/alerts.test.yaml`).text()
    const untested = rules.filter(
      ({ alert }) => !tests.includes(`alertname="${alert}"}', value: 1`),
    )
    expect(untested.map(({ alert }) => alert)).toEqual([])
  })

  withPromtool('are what promtool takes, and fire when they are to', async () => {
    expect(await promtool(['check', 'rules', `${folder}/alerts.yaml`])).toBe('')
    expect(await promtool(['test', 'rules', `${folder}/alerts.test.yaml`])).toBe('')
  })
})
