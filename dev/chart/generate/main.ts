/**
 * `npm run chart:generate`: writes the files that are generated from `helm/values.yaml`, `config/connector.schema.json` and
 * `monitoring/`.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, relative } from 'node:path'
import { generatedFiles } from './index.js'

for (const [path, content] of await generatedFiles()) {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  console.log(relative(process.cwd(), path))
}
