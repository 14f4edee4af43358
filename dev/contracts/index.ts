/** The documents that are generated from `schemas/*.avsc` and `config/providers`. */
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { generateAggregatorsPage } from './aggregators-page.js'
import { generateAsyncApi } from './asyncapi.js'
import { generateAsyncApiPage } from './asyncapi-page.js'
import { contractVersion, loadRecordSchemas } from './avro-schema.js'
import { generateBackstageEntity } from './backstage-entity.js'
import { generateDataContract } from './data-contract.js'
import { loadDescribedProviders } from './described-fields.js'
import { generateReferencePage } from './reference-page.js'
import { generateTypes } from './typescript-types.js'

const ROOT = new URL('../../', import.meta.url)

/** Returns the path and the content of each generated file. */
export function generateContracts(): readonly (readonly [path: string, content: string])[] {
  const schemas = loadRecordSchemas()
  const asyncApi = generateAsyncApi(schemas, contractVersion())
  const contents: Readonly<Record<string, string>> = {
    'schemas/index.d.ts': generateTypes(schemas),
    'docs/schemas.md': generateReferencePage(schemas, loadDescribedProviders()),
    'docs/aggregators.md': generateAggregatorsPage(),
    'docs/contracts/asyncapi.yaml': toYaml(asyncApi),
    'docs/contracts/index.html': generateAsyncApiPage(asyncApi),
    'docs/contracts/data-contract.yaml': toYaml(generateDataContract(schemas, contractVersion())),
    'docs/contracts/catalog-info.yaml': toYaml(generateBackstageEntity()),
  }
  return Object.entries(contents).map(([path, content]) => [fileURLToPath(new URL(path, ROOT)), content])
}

/** Objects that occur several times are written out each time, because not every reader of YAML knows aliases. */
const toYaml = (document: object): string =>
  `# Generated from schemas/ by npm run contracts.\n${stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 })}`
