import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, inject, it } from 'vitest'
import { CHART, SCENARIOS, manifest, scenarioFile } from './support/helm.js'

const run = promisify(execFile)
const helm = async (...args: string[]): Promise<string> => (await run(inject('chartTools').helm, args)).stdout

describe('The chart', () => {
  it.each(SCENARIOS)('passes helm lint without a warning with scenario %s', async (scenario) => {
    const args = ['--strict', '--values', scenarioFile(scenario)]
    expect(await helm('lint', ...args, CHART)).toMatch(/1 chart\(s\) linted, 0 chart\(s\) failed/)
  })

  it('renders the same from a package that holds exactly the needed files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dlrmo-package-'))
    try {
      await helm('package', CHART, '--destination', folder)
      const [file = ''] = await readdir(folder)
      const chart = join(folder, file)
      const files = [scenarioFile('everything')]
      expect(await manifest({ files, chart })).toBe(await manifest({ files }))
      const { stdout } = await run('tar', ['--list', '--file', chart])
      const top = stdout.split('\n').map((path) => path.split('/')[1] ?? '')
      expect([...new Set(top)].filter(Boolean).sort()).toEqual(
        ['.helmignore', 'Chart.yaml', 'README.md', 'files', 'templates', 'values.schema.json', 'values.yaml'].sort(),
      )
      expect(await helm('show', 'readme', chart)).toBe(`${await readFile(`${CHART}/README.md`, 'utf8')}\n`)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
