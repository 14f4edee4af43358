/**
 * Renders the AsyncAPI document as a page, `docs/contracts/index.html`. It has no script and refers to nothing outside, so
 * that it can be opened from a folder, served by any web server, or put into a developer portal.
 */
import type { AsyncApiDocument, AsyncApiMessage } from './asyncapi.js'
import { type AvroRecord, formatType, nestedTypes, splitNullable } from './avro-schema.js'

const STYLE = `
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
th code { white-space: nowrap }
section { border-top: 1px solid; margin-top: 2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .4rem .6rem .4rem 0; text-align: left; vertical-align: top }
td:last-child { min-width: 20rem }
`

export const generateAsyncApiPage = ({ info, channels, components }: AsyncApiDocument): string => {
  const entries = Object.values(channels).map((channel) => {
    const [name] = Object.keys(channel.messages)
    return { address: channel.address, message: components.messages[name!]! }
  })
  const links = entries.map(
    ({ address, message }) =>
      `<li><a href="#${message.name}"><code>${escape(address)}</code></a>: ${escape(message.name)}</li>`,
  )
  return `<!doctype html>
<!-- Generated from schemas/ by npm run contracts. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(info.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(info.title)}</h1>
<p>Version ${escape(info.version)}, ${escape(info.license.name)}. The same as a document for tools:
<a href="asyncapi.yaml">AsyncAPI 3</a>, <a href="data-contract.yaml">ODCS 3.1</a>,
<a href="catalog-info.yaml">Backstage</a>.</p>
<p>${escape(info.description)}</p>
<nav aria-label="Topics"><ul>
${links.join('\n')}
</ul></nav>
</header>
<main>
${entries.map(({ address, message }) => renderMessage(address, message)).join('\n')}
</main>
</body>
</html>
`
}

function renderMessage(address: string, { name, headers, payload, bindings }: AsyncApiMessage): string {
  const headerRows = Object.entries(headers.properties).map(([header, { const: value, description = '' }]) => [
    `<code>${escape(header)}</code>`,
    headers.required.includes(header) ? 'always' : 'may be missing',
    value === undefined ? withCode(description) : `Always <code>${escape(value)}</code>.`,
  ])
  const nested = nestedTypes(payload.schema).map((type) => {
    const heading = `<h4 id="${name}.${type.name}"><code>${escape(type.name)}</code></h4>\n<p>${withCode(type.doc)}</p>`
    if (type.type === 'record') return `${heading}\n${renderFields(`Fields of ${type.name}`, type)}`
    const symbols = type.symbols.map((symbol) => `<code>${escape(symbol)}</code>`).join(', ')
    return `${heading}\n<p>Symbols: ${symbols}. Default: <code>${escape(type.default)}</code>.</p>`
  })
  return `<section id="${name}" aria-labelledby="${name}-heading">
<h2 id="${name}-heading"><code>${escape(address)}</code>: ${escape(name)}</h2>
<p>${withCode(payload.schema.doc)}</p>
<p>Record key: ${withCode(bindings.kafka.key.description)} The value is Avro in Confluent's wire format: a zero byte, the id of
the schema in 4 bytes, and the record.</p>
<h3>Headers</h3>
${renderTable(`Headers of ${name}`, ['header', 'presence', 'meaning'], headerRows)}
<h3>Fields</h3>
${renderFields(`Fields of ${name}`, payload.schema)}
${nested.join('\n')}
</section>`
}

const renderFields = (caption: string, { fields }: AvroRecord): string =>
  renderTable(
    caption,
    ['field', 'type', 'meaning'],
    fields.map(({ name, type, doc, 'confluent:tags': tags = [] }) => {
      const optional = splitNullable(type).isNullable ? ' or null' : ''
      const tagged = tags.length === 0 ? '' : ` <strong>${escape(tags.join(', '))}</strong>`
      return [`<code>${escape(name)}</code>${tagged}`, `${escape(formatType(type))}${optional}`, withCode(doc)]
    }),
  )

/** @param rows cells as HTML */
const renderTable = (caption: string, columns: readonly string[], rows: readonly (readonly string[])[]): string => {
  const head = columns.map((column) => `<th scope="col">${escape(column)}</th>`).join('')
  const body = rows.map(
    ([first, ...cells]) => `<tr><th scope="row">${first}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`,
  )
  const label = `role="region" aria-label="${escape(caption)}" tabindex="0"`
  return `<div class="wide" ${label}><table>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body.join('\n')}\n</tbody>\n</table></div>`
}

/** Escapes a text in which backticks enclose code. */
const withCode = (text: string): string => escape(text).replace(/`([^`]+)`/g, '<code>$1</code>')

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!)
