/**
 * `npm run schema`: writes the JSON Schemas of the configuration (`config/connector.schema.json`) and of the description of an
 * aggregator (`config/provider.schema.json`), from the schemas that the program checks them against.
 */
import { writeFileSync } from 'node:fs'
import { toJsonSchema } from '../src/config/json-schema.js'
import { createSchema } from '../src/config/schema.js'
import { ProviderCatalog } from '../src/providers/catalog.js'
import { descriptionSchema } from '../src/providers/described/description.js'

const write = (name: string, schema: Parameters<typeof toJsonSchema>[0]): void =>
  writeFileSync(new URL(`../config/${name}`, import.meta.url), `${JSON.stringify(toJsonSchema(schema), null, 2)}\n`)

write('connector.schema.json', createSchema(new ProviderCatalog()))
write('provider.schema.json', descriptionSchema)
