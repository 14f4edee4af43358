/** Reads the description of an aggregator from a file, and reports every problem with its place. */
import { readFileSync } from 'node:fs'
import { toProblem } from '../../config/problems.js'
import { ConnectorError, messageOf } from '../../core/errors.js'
import { readYaml } from '../../yaml/document.js'
import { formatProblem, type Problem, sortByPosition } from '../../yaml/problem.js'
import { type Description, descriptionSchema } from './description.js'

/** Far above any description. It prevents that a wrong file is parsed at length. */
const MAX_FILE_BYTES = 1024 * 1024

export type ParsedDescription =
  | { readonly description: Description; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly description?: never }

/** @throws ConnectorError CONFIG_INVALID: its message has one line for each problem */
export function loadDescription(file: string): Description {
  const { description, problems } = parseDescription(readText(file))
  if (description !== undefined) return description
  throw new ConnectorError('CONFIG_INVALID', problems.map((problem) => formatProblem(file, problem)).join('\n'))
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file)
    if (bytes.length <= MAX_FILE_BYTES) return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new ConnectorError(
      'CONFIG_INVALID',
      `${file}: the description of a provider can't be read: ${messageOf(error)}`,
    )
  }
  throw new ConnectorError('CONFIG_INVALID', `${file}: is too large for the description of a provider`)
}

export function parseDescription(text: string): ParsedDescription {
  const document = readYaml(text)
  if (document.problems.length > 0) return { problems: sortByPosition(document.problems) }
  const tree = document.tree ?? {}
  const checked = descriptionSchema.safeParse(tree, { reportInput: true })
  const origin = { locate: document.locate, substitutedFrom: () => [] }
  const problems = (checked.error?.issues ?? []).map((issue) => toProblem(issue, origin))
  if (checked.data === undefined || problems.length > 0) return { problems: sortByPosition(problems) }
  return { description: checked.data }
}
