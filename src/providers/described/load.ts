/** Reads the description of an aggregator from a file, and reports every problem with its place. */
import { hash } from 'node:crypto'
import { toProblem } from '../../config/problems.js'
import { readConfigFile } from '../../config/read-file.js'
import { describeReadError } from '../../config/substitute.js'
import { ConnectorError } from '../../core/errors.js'
import { readYaml } from '../../yaml/document.js'
import { formatProblem, type Problem, sortByPosition } from '../../yaml/problem.js'
import { type Description, descriptionSchema } from './description.js'

export type ParsedDescription =
  | { readonly description: Description; readonly problems?: never }
  | { readonly problems: readonly Problem[]; readonly description?: never }

export interface LoadedDescription {
  readonly description: Description
  /** The SHA-256 of the text, in hexadecimal. */
  readonly digest: string
}

/** @throws ConnectorError CONFIG_INVALID: its message has one line for each problem */
export function loadDescription(file: string): LoadedDescription {
  const text = readText(file)
  const { description, problems } = parseDescription(text)
  if (description !== undefined) return { description, digest: hash('sha256', text, 'hex') }
  throw new ConnectorError('CONFIG_INVALID', problems.map((problem) => formatProblem(file, problem)).join('\n'))
}

function readText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readConfigFile(file))
  } catch (error) {
    throw new ConnectorError('CONFIG_INVALID', `${file}: the description of a provider ${describeReadError(error)}`)
  }
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
