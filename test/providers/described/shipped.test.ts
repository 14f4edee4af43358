/** The descriptions in config/providers: their samples, and the contract of all providers. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadDescription } from '../../../src/providers/described/load.js'
import { describedProvider } from '../../../src/providers/described/provider.js'
import { checkSamples } from '../../../src/providers/described/samples.js'
import { describeProvider } from '../provider-contract.js'

const DIRECTORY = join(import.meta.dirname, '../../../config/providers')
const files = readdirSync(DIRECTORY).filter((file) => file.endsWith('.yaml'))

for (const file of files) {
  const { description } = loadDescription(join(DIRECTORY, file))
  const provider = describedProvider(description)

  describe(`The description in ${file}`, () => {
    it('is named after its provider', () => expect(file).toBe(`${description.provider}.yaml`))

    it.each(checkSamples(description, provider).map((result) => [result.sample.name, result] as const))(
      'gives exactly the items of its sample: %s',
      (_, { differences }) => expect(differences).toEqual([]),
    )

    it('has a sample for each of its items', () => {
      const kinds = new Set(description.samples.flatMap(({ items }) => items.map(({ kind }) => kind)))
      const described = new Set(description.items.map(({ kind }) => KIND_OF_ITEM[kind]))
      expect([...described].filter((kind) => kind !== undefined && !kinds.has(kind))).toEqual([])
    })
  })

  describeProvider(
    description.provider,
    provider,
    description.samples.map(({ name, evidence, method, query, contentType, body }) => ({
      name,
      evidence,
      via: 'CALLBACK',
      facts: { method, query, ...(contentType !== undefined && { 'content-type': contentType }) },
      body,
    })),
  )
}

const KIND_OF_ITEM: Readonly<Record<string, string | undefined>> = { receipt: 'dlr', message: 'mo' }
