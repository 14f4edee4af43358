/** `npm run contracts`: writes the types, pages and documents that are generated from `schemas/*.avsc`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { generateContracts } from './index.js'

for (const [path, content] of generateContracts()) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  console.log(relative(process.cwd(), path))
}
