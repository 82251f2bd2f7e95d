// Goal: readers of the settings have the current ones, and what is made from them is made once for
// each. Method: a record that is replaced.

import { expect, test } from 'bun:test'
import { CONFIG, settingsOf } from './settings.fixture.ts'
import { derived } from './settings.ts'

test('a derived value is made once, and again when the settings are replaced', () => {
  const settings = settingsOf({ controlHosts: ['a'] })
  let times = 0
  const hosts = derived(settings, ({ controlHosts }) => {
    times++
    return new Set(controlHosts)
  })
  expect([hosts(), hosts(), times]).toEqual([new Set(['a']), new Set(['a']), 1])
  settings.replace({ ...CONFIG, controlHosts: ['b'] })
  expect([hosts(), hosts(), times]).toEqual([new Set(['b']), new Set(['b']), 2])
})
