/** The documents that are generated from `schemas/*.avsc` and `config/providers`. */
import { fileURLToPath } from 'node:url'
import { loadRecordSchemas } from './avro-schema.js'
import { loadDescribedProviders } from './described-fields.js'
import { generateReferencePage } from './reference-page.js'
import { generateTypes } from './typescript-types.js'

const ROOT = new URL('../../', import.meta.url)

/** Returns the path and the content of each generated file. */
export function generateContracts(): readonly (readonly [path: string, content: string])[] {
  const schemas = loadRecordSchemas()
  const contents: Readonly<Record<string, string>> = {
    'schemas/index.d.ts': generateTypes(schemas),
    'docs/schemas.md': generateReferencePage(schemas, loadDescribedProviders()),
  }
  return Object.entries(contents).map(([path, content]) => [fileURLToPath(new URL(path, ROOT)), content])
}
