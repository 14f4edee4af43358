import { readFileSync } from 'node:fs'

/** The version of the connector, from package.json, which is in the parent of both `src` and `dist`. */
export const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
