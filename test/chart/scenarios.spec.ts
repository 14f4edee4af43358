import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CHART, SCENARIOS, manifest, scenarioFile } from './support/helm.js'

describe('The scenarios in helm/ci', () => {
  it('together render every template', async () => {
    const rendered = new Set<string>()
    for (const scenario of SCENARIOS) {
      const text = await manifest({ files: [scenarioFile(scenario)] })
      for (const [, path = ''] of text.matchAll(/^# Source: dlr-mo-connector\/templates\/(.+)$/gm)) rendered.add(path)
    }
    const templates = readdirSync(`${CHART}/templates`, { recursive: true })
      .map(String)
      // This template renders nothing; it only refuses values.
      .filter((path) => path.endsWith('.yaml') && path !== 'requirements.yaml')
    expect([...rendered].sort()).toEqual(templates.sort())
  })
})
