/**
 * The runbook as a page of the admin port, so that the status page can link to its entries without a network: docs/runbook.md,
 * which is part of the package, with the anchors that GitHub makes of its headings. Only what that document uses of Markdown is
 * understood: headings, paragraphs, lists, tables, fenced code, code spans, bold, emphasis and links.
 */
import { readFileSync } from 'node:fs'
import { html, type Html, trusted } from './html.js'
import { STYLE } from './style.js'

const FILE = new URL('../../../docs/runbook.md', import.meta.url)

/** @throws Error if the file is missing from the installation */
export const renderRunbookPage = (): string => {
  const document = renderMarkdown(readFileSync(FILE, 'utf8'))
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>Runbook · dlr-mo-connector</title>
        ${trusted(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <header>
          <nav aria-label="Further pages"><a href="./">Status</a></nav>
        </header>
        <main class="document">${document}</main>
      </body>
    </html> `.text
}

/** The anchor that GitHub makes of a heading: lower case, punctuation removed, spaces to dashes. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

export const renderMarkdown = (markdown: string): Html => html`${blocksOf(markdown).map(renderBlock)}`

/** Splits at empty lines, except inside of fenced code. */
const blocksOf = (markdown: string): string[] =>
  (markdown.match(/^```[^]*?^```$|(?:^(?!```).+(?:\n|$))+/gm) ?? []).map((block) => block.trimEnd())

function renderBlock(block: string): Html {
  const heading = /^(#+) +(.+)$/.exec(block)
  if (heading) return renderHeading(heading[1]!.length, heading[2]!)
  if (block.startsWith('```')) {
    return html`<pre tabindex="0"><code>${block.replace(/^```.*\n/, '').replace(/\n?```$/, '')}</code></pre>`
  }
  if (block.startsWith('|')) return renderTable(block.split('\n'))
  const items = block.split(/\n(?=(?:[-*]|\d+\.) )/)
  if (/^[-*] /.test(block))
    return html`<ul>
      ${items.map(renderItem)}
    </ul>`
  if (/^\d+\. /.test(block))
    return html`<ol>
      ${items.map(renderItem)}
    </ol>`
  return html`<p>${inline(block)}</p>`
}

const renderHeading = (level: number, text: string): Html => {
  const tag = trusted(`h${Math.min(level, 6)}`)
  return html`<${tag} id="${anchorOf(text)}">${inline(text)}</${tag}>`
}

const renderItem = (item: string): Html => html`<li>${inline(item.replace(/^(?:[-*]|\d+\.) +/, ''))}</li>`

const renderTable = ([head = '', , ...rows]: readonly string[]): Html => {
  const cells = (row: string): string[] =>
    row
      .replace(/^\||\|$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|'))
  return html`<div class="wide" tabindex="0">
    <table>
      <thead>
        <tr>
          ${cells(head).map((cell) => html`<th scope="col">${inline(cell)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${cells(row).map((cell) => html`<td>${inline(cell)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

const INLINE =
  /`(?<code>[^`]+)`|\*\*(?<bold>[^*]+)\*\*|\*(?<emphasis>[^*\s][^*]*)\*|\[(?<label>[^\]]+)\]\((?<target>[^)\s]+)\)/g

function inline(text: string): Html {
  const parts: (Html | string)[] = []
  let end = 0
  for (const match of text.matchAll(INLINE)) {
    const { code, bold, emphasis, label, target } = match.groups as Record<string, string | undefined>
    parts.push(text.slice(end, match.index))
    if (code !== undefined) parts.push(html`<code>${code.replaceAll(/\s+/g, ' ')}</code>`)
    else if (bold !== undefined) parts.push(html`<b>${inline(bold)}</b>`)
    else if (emphasis !== undefined) parts.push(html`<em>${inline(emphasis)}</em>`)
    else if (target?.startsWith('#')) parts.push(html`<a href="${target}">${inline(label ?? '')}</a>`)
    // Other documents are not served here.
    else parts.push(html`${inline(label ?? '')} (docs/${target})`)
    end = match.index + match[0].length
  }
  parts.push(text.slice(end))
  return html`${parts}`
}
