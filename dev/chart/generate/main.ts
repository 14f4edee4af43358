/** `npm run chart:generate`: writes the files that are generated from `helm/values.yaml` and `config/connector.schema.json`. */
import { writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { generatedFiles } from './index.js'

for (const [path, content] of await generatedFiles()) {
  await writeFile(path, content)
  console.log(relative(process.cwd(), path))
}
