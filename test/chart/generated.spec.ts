import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { generatedFiles } from '../../dev/chart/generate/index.js'
import { readValuesFile } from '../../dev/chart/generate/values-file.js'
import { valuesSchema } from '../../dev/chart/generate/values-schema.js'

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('The generated files of the chart', () => {
  it('are up to date (npm run chart:generate)', async () => {
    for (const [path, content] of await generatedFiles()) {
      expect(await readFile(path, 'utf8'), relative(process.cwd(), path)).toBe(content)
    }
  })

  it('name the version of the connector in package.json', async () => {
    const chart = parse(await read('helm/Chart.yaml')) as { appVersion: string }
    expect(chart.appVersion).toBe((JSON.parse(await read('package.json')) as { version: string }).version)
  })
})

describe('The schema of values', () => {
  it('allows no unknown key wherever it lists keys', async () => {
    const open: string[] = []
    const walk = (schema: unknown, path: string): void => {
      if (typeof schema !== 'object' || schema === null) return
      const { properties, additionalProperties, type } = schema as Record<string, unknown>
      if (properties !== undefined && type === 'object' && additionalProperties !== false) open.push(path)
      for (const [key, value] of Object.entries(schema)) walk(value, `${path}/${key}`)
    }
    walk(JSON.parse(await read('helm/values.schema.json')), '')
    // Kubernetes itself validates its own objects.
    expect(open).toEqual([])
  })

  it('takes its types, defaults and descriptions from values.yaml', () => {
    const sections = readValuesFile(
      [
        '# @section One',
        '',
        '# How many.',
        '# Of them.',
        '# @schema minimum: 1',
        'count: 2',
        'inner:',
        '  # A word.',
        "  word: ''",
        '',
      ].join('\n'),
    )
    expect(valuesSchema(sections, {})).toMatchObject({
      type: 'object',
      additionalProperties: false,
      properties: {
        count: { type: 'integer', minimum: 1, default: 2, description: 'How many. Of them.' },
        inner: {
          type: 'object',
          additionalProperties: false,
          properties: { word: { type: 'string', description: 'A word.' } },
        },
      },
    })
  })

  it.each([
    ['a list without a type of its items', '# @section One\nlist: []\n', /list: describe with @schema which items/],
    [
      'an empty section without a description',
      '# @section One\nmap: {}\n',
      /map: describe with @schema what this empty section/,
    ],
    ['a null without a type', '# @section One\nnone: null\n', /none: describe with @schema what is allowed/],
    ['a key in no section', 'key: 1\n# @section One\nother: 1\n', /key precedes the first @section/],
  ])('is not made from %s', (_name, text, message) => {
    expect(() => readValuesFile(text)).toThrow(message)
  })
})
