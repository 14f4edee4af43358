import { readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config/load.js'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

describe('The README', () => {
  it('prints the flow as it stands in pipeline.ts', () => {
    const flow =
      /^ {2}\/\*\*[^\n]*\*\/\n {2}async #flow\([^]*?^ {2}\}\n/m.exec(read('src/pipeline/pipeline.ts'))?.[0] ??
      'no #flow'
    const printed = /<!-- flow -->\n```ts\n([^]*?)```/.exec(read('README.md'))?.[1]
    expect(printed).toBe(flow.replace(/^ {2}/gm, ''))
  })

  it('describes each of its pictures in words, and shows none that is missing or takes more than 150 kB', () => {
    const pictures = [...read('README.md').matchAll(/!\[([^\]]*)\]\((?!https?:)([^)\s]+)\)/g)]
    expect(pictures.map(([, , path]) => path)).toContain('docs/status-page.png')
    for (const [, words = '', path = ''] of pictures) {
      expect(words.split(' ').length, path).toBeGreaterThan(5)
      expect(statSync(new URL(`../${path}`, import.meta.url)).size, path).toBeLessThan(150_000)
    }
  })

  it('shows a complete configuration that loads', () => {
    const yaml = /```yaml\n([^]*?)```/.exec(read('README.md'))?.[1] ?? ''
    const env = { MTARGET_USERNAME: 'a', MTARGET_PASSWORD: 'b', SEVEN_TOKEN: 'c' }
    expect(parseConfig(yaml, env, 'host').problems).toBeUndefined()
  })
})
