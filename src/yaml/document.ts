/**
 * Reads a YAML file into plain values, and finds the position of each of them in the file.
 *
 * Every scalar keeps the text that is written in the file (YAML's failsafe schema). It becomes a number or a boolean only
 * where the configuration expects one, so a password of 0123 keeps its zero, and a substituted value is converted exactly
 * like a written one. Only an empty value, `null` and `~` without quotes become null.
 */
import {
  CST,
  Lexer,
  LineCounter,
  Parser,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  visit,
} from 'yaml'
import type { Document, ErrorCode, Node, Pair, Scalar, YAMLError } from 'yaml'
import type { Path, Position, Problem } from './problem.js'

export interface YamlDocument {
  /** Strings, nulls, arrays and objects; undefined if there are problems. */
  readonly tree: unknown
  readonly problems: readonly Problem[]
  /**
   * The position of the value at a path, or of its key with `'key'`. If the file has no such value, the position of the
   * innermost section around it.
   */
  readonly locate: (path: Path, part?: 'key') => Position | undefined
}

/** The deepest configuration has 5 levels. At some thousands of levels the parser exhausts the stack. */
const MAX_DEPTH = 50
/** Each of them may take the parser as long as the whole file has values, which for a megabyte of them is minutes. */
const MAX_ALIASES_AND_TAGS = 1_000
/** Nobody reads more of them at once. */
const MAX_PROBLEMS = 200

export const readYaml = (text: string): YamlDocument => {
  const lines = new LineCounter()
  const excess = findExcess(text)
  if (excess !== undefined) return refuse([problem(excess)])
  const document = parseDocument(text, {
    schema: 'failsafe',
    resolveKnownTags: false,
    stringKeys: true,
    merge: true,
    // It compares each key with every other one of its section. `findRepeatedKeys` does not.
    uniqueKeys: false,
    strict: true,
    prettyErrors: false,
    // The level 'silent' would also suppress the error about a second document.
    logLevel: 'error',
    lineCounter: lines,
  })
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const problems = [...withoutConsequences(document.errors), ...document.warnings].map((error) =>
    problem(explain(error.code, text, error.pos[0]), positionOf(error.pos[0])),
  )
  visit(document, {
    Map: (_, { items }) => {
      for (const key of findRepeatedKeys(items)) {
        problems.push(problem(EXPLANATIONS.DUPLICATE_KEY, positionOf(key.range?.[0] ?? 0)))
      }
    },
    Scalar: (key, node) => {
      if (key === 'key' && node.value === '__proto__') {
        problems.push(problem('a key can\'t be called "__proto__"', node.range ? positionOf(node.range[0]) : undefined))
      }
      if (key !== 'key' && node.type === 'PLAIN' && /^(null|Null|NULL|~|)$/.test(String(node.value))) node.value = null
    },
    Alias: (_, node) => {
      if (node.resolve(document) !== undefined) return
      problems.push(problem('an alias (*name) without an anchor (&name) above it', positionOf(node.range?.[0] ?? 0)))
    },
  })
  if (problems.length > 0) return refuse(problems.slice(0, MAX_PROBLEMS))
  try {
    const tree: unknown = document.toJS()
    // Throws for an alias that contains itself.
    JSON.stringify(tree)
    return { tree, problems, locate: (path, part) => locate(document, path, part, positionOf) }
  } catch {
    return refuse([problem('its aliases (*name) expand to too many values')])
  }
}

const problem = (text: string, at?: Position): Problem => ({ path: [], at, text })

const refuse = (problems: readonly Problem[]): YamlDocument => ({
  tree: undefined,
  problems,
  locate: () => undefined,
})

/**
 * Drops what follows the first unexpected token. The parser has lost its place there, and reports nearly every later token of
 * the file as well.
 */
const withoutConsequences = (errors: readonly YAMLError[]): readonly YAMLError[] => {
  const inOrder = [...errors].sort((a, b) => a.pos[0] - b.pos[0])
  const first = inOrder.findIndex(({ code }) => code === 'UNEXPECTED_TOKEN')
  return first === -1 ? inOrder : inOrder.slice(0, first + 1)
}

/** Explanations of the parser's error codes. The parser's own messages quote the file, and may show a password. */
const EXPLANATIONS = {
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins an escape that YAML does not know; use single quotes',
  BAD_INDENT: 'the indentation of this line matches no line above it, or a bracket or brace above it is not closed',
  BAD_SCALAR_START: 'a value may not begin with this character; quote the value',
  BLOCK_AS_IMPLICIT_KEY: 'a second "key: value" on one line; quote a value that contains ": "',
  BLOCK_IN_FLOW: 'lines of "key: value" or "- item" are not allowed inside {…} and […]',
  DUPLICATE_KEY: 'this key appears twice; remove one of them',
  MISSING_CHAR: 'a closing quote, bracket, brace, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key extends over several lines; a ":" or a quote may be missing',
  MULTIPLE_DOCS: 'a second YAML document begins here; only one is allowed',
  NON_STRING_KEY: 'a key must be plain text',
  TAB_AS_INDENT: 'a tab is used for indentation; YAML allows spaces only',
  TAG_RESOLVE_FAILED: 'tags such as !!int are not supported; write the value without a tag',
  UNEXPECTED_TOKEN: 'YAML does not allow this here; a quote, bracket or line break may be missing',
} as const satisfies Partial<Record<ErrorCode, string>>

const explain = (code: ErrorCode, text: string, offset: number): string => {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, text.indexOf('\n', offset) + 1 || undefined)
  const isUnquotedSubstitution = code === 'UNEXPECTED_TOKEN' && /[{[,].*\$\{/.test(line)
  if (isUnquotedSubstitution) return 'a "${…}" inside {…} or […] must be quoted'
  const isUnquotedBracket = text[offset] === '[' && /\w/.test(text[offset - 1] ?? '')
  if (isUnquotedBracket) return "a name with brackets inside {…} or […] must be quoted, such as 'data[id]'"
  const explanations: Partial<Record<ErrorCode, string>> = EXPLANATIONS
  return explanations[code] ?? `this is not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`
}

/** The key of merging, which may be written several times in a section. */
const MERGE_KEY = '<<'

/** Returns the keys of a section that it has had before. */
const findRepeatedKeys = (items: readonly Pair<unknown, unknown>[]): Scalar[] => {
  const seen = new Set<unknown>()
  const repeated: Scalar[] = []
  for (const { key } of items) {
    if (!isScalar(key) || key.value === MERGE_KEY) continue
    if (seen.has(key.value)) repeated.push(key)
    seen.add(key.value)
  }
  return repeated
}

/**
 * Measures with the tokenizer alone what takes the parser too much stack or time, before it builds the document.
 * @returns what there is too much of, as the end of a sentence
 */
const findExcess = (text: string): string | undefined => {
  const parser = new Parser()
  let aliasesAndTags = 0
  for (const lexeme of new Lexer().lex(text)) {
    // parser.next is a generator, and updates the stack only while it is iterated.
    Array.from(parser.next(lexeme))
    if (parser.stack.length > MAX_DEPTH) return 'is nested too deeply for a configuration'
    const type = CST.tokenType(lexeme)
    if (type === 'alias' || type === 'tag') aliasesAndTags++
    if (aliasesAndTags > MAX_ALIASES_AND_TAGS) return 'has more aliases (*name) and tags (!name) than a configuration'
  }
  return undefined
}

const locate = (
  document: Document,
  path: Path,
  part: 'key' | undefined,
  positionOf: (offset: number) => Position,
): Position | undefined => {
  let node = document.contents
  let offset = node?.range?.[0]
  for (const [index, step] of path.entries()) {
    const parent = isAlias(node) ? node.resolve(document) : node
    if (isMap(parent)) {
      const pair = parent.items.find((each) => isScalar(each.key) && each.key.value === step)
      if (pair === undefined) break
      const keyOffset = isScalar(pair.key) ? pair.key.range?.[0] : undefined
      node = pair.value as Node | null
      const wantsKey = part === 'key' && index === path.length - 1
      // A section or a list may begin on a later line than its key, and an empty value has no visible position.
      const hasPosition = !isCollection(node) && !(isScalar(node) && node.value === null)
      offset = (hasPosition && !wantsKey ? node?.range?.[0] : keyOffset) ?? offset
    } else if (isSeq(parent)) {
      node = (parent.items[Number(step)] as Node | undefined) ?? null
      offset = node?.range?.[0] ?? offset
    } else break
  }
  return offset === undefined ? undefined : positionOf(offset)
}
