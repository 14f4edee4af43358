/**
 * A YAML file as plain values that remember their place.
 *
 * Every scalar stays the text that was written (YAML's failsafe schema), and becomes a number or a boolean only where
 * the configuration expects one: a password of 0123 keeps its zero, and a value put in by `${…}` is treated no
 * differently from one that was written. Only what is empty, `null` or `~` without quotes becomes null.
 */
import { Lexer, LineCounter, Parser, isAlias, isCollection, isMap, isScalar, isSeq, parseDocument, visit } from 'yaml'
import type { Document, ErrorCode, Node } from 'yaml'
import type { Path, Position, Problem } from './problem.js'
import { formatSyntaxError } from './syntax-errors.js'

export interface YamlDocument {
  /** Strings, nulls, arrays and objects; undefined after a problem that leaves nothing to go on with. */
  readonly tree: unknown
  readonly problems: readonly Problem[]
  /** Where the value stands, or what is nearest above it; `'key'` asks for the key instead of the value. */
  readonly locate: (path: Path, part?: 'key') => Position | undefined
}

/** The deepest configuration has 5 levels. Beyond some thousands the composer would run out of stack. */
const MAX_DEPTH = 50

export const readYaml = (text: string): YamlDocument => {
  const lines = new LineCounter()
  if (isTooDeep(text)) return broken([problem('is nested too deeply for a configuration')])
  const document = parseDocument(text, {
    schema: 'failsafe',
    resolveKnownTags: false,
    stringKeys: true,
    merge: true,
    strict: true,
    prettyErrors: false,
    // 'silent' would keep a second document from being told.
    logLevel: 'error',
    lineCounter: lines,
  })
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const problems = [...document.errors, ...document.warnings].map((error) =>
    problem(sentenceFor(error.code, text, error.pos[0]), place(error.pos[0])),
  )
  visit(document, {
    Scalar: (key, node) => {
      if (key === 'key' && node.value === '__proto__') {
        problems.push(problem('a key can\'t be called "__proto__"', node.range ? place(node.range[0]) : undefined))
      }
      if (key !== 'key' && node.type === 'PLAIN' && /^(null|Null|NULL|~|)$/.test(String(node.value))) node.value = null
    },
    Alias: (_, node) => {
      if (node.resolve(document) !== undefined) return
      problems.push(problem('an alias (*name) without an anchor (&name) above it', place(node.range?.[0] ?? 0)))
    },
  })
  if (problems.length > 0) return broken(problems)
  try {
    const tree: unknown = document.toJS()
    // Throws where an alias reaches itself.
    JSON.stringify(tree)
    return { tree, problems, locate: (path, part) => locate(document, path, part, place) }
  } catch {
    return broken([problem('its aliases (*name) repeat too much')])
  }
}

const problem = (text: string, at?: Position): Problem => ({ path: [], at, text })

const broken = (problems: readonly Problem[]): YamlDocument => ({ tree: undefined, problems, locate: () => undefined })

const sentenceFor = (code: ErrorCode, text: string, offset: number): string => {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, text.indexOf('\n', offset) + 1 || undefined)
  const unquoted = code === 'UNEXPECTED_TOKEN' && /[{[,].*\$\{/.test(line)
  return unquoted ? 'inside {…} and […] a "${…}" must stand in quotes' : formatSyntaxError(code)
}

const isTooDeep = (text: string): boolean => {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    // A generator that must be run for the stack to move.
    Array.from(parser.next(lexeme))
    if (parser.stack.length > MAX_DEPTH) return true
  }
  return false
}

const locate = (
  document: Document,
  path: Path,
  part: 'key' | undefined,
  place: (offset: number) => Position,
): Position | undefined => {
  let node = document.contents
  let best = node?.range?.[0]
  for (const [index, step] of path.entries()) {
    const holder = isAlias(node) ? node.resolve(document) : node
    if (isMap(holder)) {
      const pair = holder.items.find((each) => isScalar(each.key) && each.key.value === step)
      if (pair === undefined) break
      const key = isScalar(pair.key) ? pair.key.range?.[0] : undefined
      node = pair.value as Node | null
      const wantsKey = part === 'key' && index === path.length - 1
      // A collection may begin on a later line than its name, and an empty value is nowhere to be seen.
      const atValue = !wantsKey && !isCollection(node) && !(isScalar(node) && node.value === null)
      best = (atValue ? node?.range?.[0] : key) ?? best
    } else if (isSeq(holder)) {
      node = (holder.items[Number(step)] as Node | undefined) ?? null
      best = node?.range?.[0] ?? best
    } else break
  }
  return best === undefined ? undefined : place(best)
}
