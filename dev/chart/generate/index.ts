import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { readValuesFile } from './values-file.js'
import { valuesSchema } from './values-schema.js'
import { withValuesTables } from './values-tables.js'

const root = new URL('../../../', import.meta.url)

/** Returns the generated files of the chart by absolute path: the schema of its values, and its README. */
export async function generatedFiles(): Promise<Map<string, string>> {
  const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8')
  const sections = readValuesFile(await read('helm/values.yaml'))
  const connectorSchema = JSON.parse(await read('config/connector.schema.json')) as Record<string, unknown>
  return new Map([
    [at('helm/values.schema.json'), `${JSON.stringify(valuesSchema(sections, connectorSchema), null, 2)}\n`],
    [at('helm/README.md'), withValuesTables(await read('helm/README.md'), sections)],
  ])
}

function at(path: string): string {
  return fileURLToPath(new URL(path, root))
}
