import type { Section, Value } from './values-file.js'

const BEGIN = '<!-- values: generated from values.yaml by `npm run chart:generate` -->'
const END = '<!-- /values -->'

/**
 * Returns the README of the chart with regenerated tables of values.
 *
 * @throws Error if the marker lines around the tables are missing
 */
export function withValuesTables(readme: string, sections: readonly Section[]): string {
  const begin = readme.indexOf(BEGIN)
  const end = readme.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`helm/README.md must contain the lines ${BEGIN} and ${END}`)
  const tables = sections.map(({ title, values }) => `### ${title}\n\n${table(values)}`).join('\n\n')
  return `${readme.slice(0, begin)}${BEGIN}\n\n${tables}\n\n${readme.slice(end)}`
}

function table(values: readonly Value[]): string {
  return ['| Value | Default | Meaning |', '|---|---|---|', ...values.flatMap(rows)].join('\n')
}

function rows(value: Value): string[] {
  const inner = value.children?.flatMap(rows) ?? []
  if (value.children !== undefined && value.description === '') return inner
  const standard = value.children === undefined ? code(JSON.stringify(value.default)) : ''
  return [`| \`${value.path}\` | ${standard} | ${cell(meaning(value))} |`, ...inner]
}

function meaning({ description, keywords }: Value): string {
  const options = Array.isArray(keywords['enum']) ? (keywords['enum'] as unknown[]) : []
  const listed = options.map((option) => `\`${JSON.stringify(option)}\``).join(', ')
  return [description, listed === '' ? '' : `One of ${listed}.`].filter((part) => part !== '').join(' ')
}

function code(text: string): string {
  return `\`${cell(text)}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
