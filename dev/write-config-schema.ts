/** `npm run schema`: writes `config/connector.schema.json` from the schema in `src/config/schema.ts`. */
import { writeFileSync } from 'node:fs'
import { toJsonSchema } from '../src/config/json-schema.js'
import { createSchema } from '../src/config/schema.js'
import { ProviderCatalog } from '../src/providers/catalog.js'

const target = new URL('../config/connector.schema.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(toJsonSchema(createSchema(new ProviderCatalog())), null, 2)}\n`)
