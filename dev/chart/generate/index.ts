import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { readValuesFile } from './values-file.js'
import { valuesSchema } from './values-schema.js'
import { withValuesTables } from './values-tables.js'

const root = new URL('../../../', import.meta.url)

/** Helm reads no file outside of the chart. */
const COPIED_FOLDERS = ['monitoring', 'monitoring/dashboards']

/**
 * Returns the generated files of the chart by absolute path: the schema of its values, its README, and copies of the rules and
 * dashboards in `monitoring/`.
 */
export async function generatedFiles(): Promise<Map<string, string>> {
  const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8')
  const sections = readValuesFile(await read('helm/values.yaml'))
  const connectorSchema = JSON.parse(await read('config/connector.schema.json')) as Record<string, unknown>
  const copies: [string, string][] = []
  for (const folder of COPIED_FOLDERS) {
    for (const name of await readdir(new URL(folder, root))) {
      if (/\.(yaml|json)$/.test(name))
        copies.push([at(`helm/files/${folder}/${name}`), await read(`${folder}/${name}`)])
    }
  }
  return new Map([
    ...copies,
    [at('helm/values.schema.json'), `${JSON.stringify(valuesSchema(sections, connectorSchema), null, 2)}\n`],
    [at('helm/README.md'), withValuesTables(await read('helm/README.md'), sections)],
  ])
}

function at(path: string): string {
  return fileURLToPath(new URL(path, root))
}
