/** `npm run schema`: writes config/connector.schema.json anew. */
import { writeFileSync } from 'node:fs'
import { toJsonSchema } from './json-schema.js'
import { schema } from './schema.js'

const target = new URL('../../config/connector.schema.json', import.meta.url)
writeFileSync(target, `${JSON.stringify(toJsonSchema(schema), null, 2)}\n`)
