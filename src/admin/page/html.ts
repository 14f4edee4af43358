/** Builds HTML. What is interpolated is escaped, unless it is HTML that was built here. */

export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | number | null | undefined | false | readonly Part[]

/** A template tag: `<b>${text}</b>`. null, undefined and false leave nothing. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Html =>
  new Html(strings.reduce((before, string, index) => before + format(parts[index - 1]) + string))

/** Marks a text as HTML. It must not contain what came from outside. */
export const trusted = (text: string): Html => new Html(text)

const format = (part: Part): string => {
  if (part === null || part === undefined || part === false) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(format).join('')
  return escape(String(part))
}

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
