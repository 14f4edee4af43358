import { isMap, isScalar, isSeq, parse, parseDocument } from 'yaml'
import type { Node, Pair, YAMLMap } from 'yaml'

/** One key of `values.yaml`, with the comment above it. */
export interface Value {
  /** `persistence.size` */
  readonly path: string
  readonly name: string
  /** The comment as Markdown; empty if there is none. */
  readonly description: string
  /** Keywords of JSON Schema from its `@schema` lines. */
  readonly keywords: Readonly<Record<string, unknown>>
  readonly default: unknown
  /** The keys of a section; undefined for a value that is set as a whole. */
  readonly children: readonly Value[] | undefined
}

export interface Section {
  readonly title: string
  readonly values: readonly Value[]
}

/**
 * Reads `values.yaml`: keys, defaults and the comments above them.
 *
 * @throws Error at a key whose type follows neither from its default nor from a `@schema` line
 */
export function readValuesFile(text: string): Section[] {
  const document = parseDocument(text)
  if (!isMap(document.contents)) throw new Error('values.yaml contains no keys')
  const values = readMap(document.contents, '', text)

  const sections: { title: string; values: Value[]; offset: number }[] = []
  for (const match of text.matchAll(/^# @section (.+)$/gm)) {
    sections.push({ title: match[1] ?? '', values: [], offset: match.index })
  }
  for (const [index, pair] of document.contents.items.entries()) {
    const section = sections.findLast(({ offset }) => offset < keyOf(pair).offset)
    if (section === undefined) throw new Error(`${keyOf(pair).name} precedes the first @section`)
    section.values.push(values[index] as Value)
  }
  return sections
}

function readMap(map: YAMLMap, parent: string, text: string): Value[] {
  return map.items.map((pair) => readPair(pair as Pair<Node, Node | null>, parent, text))
}

function readPair(pair: Pair<Node, Node | null>, parent: string, text: string): Value {
  const { name, offset } = keyOf(pair)
  const path = parent === '' ? name : `${parent}.${name}`
  const { description, keywords } = readComment(text, offset)
  const node = pair.value
  const isWhole = 'properties' in keywords || 'additionalProperties' in keywords
  const children = isMap(node) && !isWhole ? readMap(node, path, text) : undefined
  if (children?.length === 0) throw new Error(`${path}: describe with @schema what this empty section accepts`)
  if (isSeq(node) && !('items' in keywords))
    throw new Error(`${path}: describe with @schema which items the list accepts`)
  if (isScalar(node) && node.value === null && !('type' in keywords)) {
    throw new Error(`${path}: describe with @schema what is allowed instead of null`)
  }
  const value: unknown = node?.toJS(parseDocument(''))
  return { path, name, description, keywords, default: value, children }
}

function keyOf(pair: Pair): { name: string; offset: number } {
  if (!isScalar(pair.key) || !pair.key.range) throw new Error(`not a plain key: ${String(pair.key)}`)
  return { name: String(pair.key.value), offset: pair.key.range[0] }
}

/** Returns the comment lines directly above the key at `offset`. */
function readComment(text: string, offset: number): Pick<Value, 'description' | 'keywords'> {
  const above = text.slice(0, text.lastIndexOf('\n', offset)).split('\n')
  const first = above.findLastIndex((line) => !/^\s*#/.test(line)) + 1
  const lines = above.slice(first).map((line) => line.replace(/^\s*# ?/, ''))
  const keywords = Object.assign(
    {},
    ...lines
      .filter((line) => line.startsWith('@schema '))
      .map((line) => parse(line.slice('@schema '.length)) as object),
  ) as Record<string, unknown>
  return {
    description: lines
      .filter((line) => !line.startsWith('@'))
      .join(' ')
      .trim(),
    keywords,
  }
}
