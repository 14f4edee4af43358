/**
 * Undoes the escapes that a text may be written in, so that a secret is found whichever way it was repeated: percent-encoding,
 * forms, JSON and HTML, also several of them in each other.
 */

/** A text, and the place in the original text that each of its characters comes from. */
export interface UnescapedText {
  readonly text: string
  /** The start of each character in the original text, and at the end the length of it; undefined for the original itself. */
  readonly starts?: Uint32Array
}

/** A JSON text in a JSON text in a form is three levels deep. Nothing that was seen is deeper. */
const MAX_LEVELS = 3

interface Escaping {
  /** Matches one escape sequence. */
  readonly pattern: RegExp
  /** Returns what a sequence stands for, as characters with their lengths in the sequence. */
  readonly decode: (sequence: string) => readonly DecodedCharacter[]
}

interface DecodedCharacter {
  readonly character: string
  /** How many characters of the sequence it was written with. */
  readonly length: number
}

/**
 * Returns the text itself and everything that it may be an escaped form of. What has no escapes gives one text.
 * @param readsPlusAsSpace whether a form is tried, in which `+` stands for a space
 */
export function unescapedTexts(original: string, readsPlusAsSpace: boolean): UnescapedText[] {
  const found: UnescapedText[] = [{ text: original }]
  const seen = new Set([original])
  const escapings = readsPlusAsSpace ? [...ESCAPINGS, FORM] : ESCAPINGS
  let level: UnescapedText[] = found
  for (let depth = 0; depth < MAX_LEVELS && level.length > 0; depth++) {
    const next: UnescapedText[] = []
    for (const each of level) {
      for (const escaping of escapings) {
        const unescaped = unescape(each, escaping)
        if (unescaped === undefined || seen.has(unescaped.text)) continue
        seen.add(unescaped.text)
        next.push(unescaped)
      }
    }
    found.push(...next)
    level = next
  }
  return found
}

const JSON_CHARACTERS: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }
const HTML_CHARACTERS: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const MAX_CODE_POINT = 0x10ffff

const ESCAPINGS: readonly Escaping[] = [
  { pattern: /(?:%[0-9a-f]{2})+/gi, decode: decodePercent },
  {
    pattern: /\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|["'\\/bfnrt])/gi,
    decode: (sequence) => {
      const kind = sequence.charAt(1)
      const character =
        sequence.length > 2
          ? String.fromCharCode(Number.parseInt(sequence.slice(2), 16))
          : (JSON_CHARACTERS[kind] ?? kind)
      return [{ character, length: sequence.length }]
    },
  },
  {
    pattern: /&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});/gi,
    decode: (sequence) => {
      const name = sequence.slice(1, -1).toLowerCase()
      const digits = name.replace('#', '0')
      const code = name.startsWith('#') ? Number(digits) : Number.NaN
      const isCharacter = code <= MAX_CODE_POINT
      const character = isCharacter ? String.fromCodePoint(code) : (HTML_CHARACTERS[name] ?? sequence)
      return [{ character, length: sequence.length }]
    },
  },
]
const FORM: Escaping = {
  pattern: /(?:%[0-9a-f]{2})+|\+/gi,
  decode: (sequence) => (sequence === '+' ? [{ character: ' ', length: 1 }] : decodePercent(sequence)),
}

/** @returns undefined if the text has no such escapes */
function unescape({ text, starts }: UnescapedText, { pattern, decode }: Escaping): UnescapedText | undefined {
  const parts: string[] = []
  // An escape sequence is never shorter than what it stands for.
  const places = new Uint32Array(text.length + 1)
  let length = 0
  let end = 0
  const keep = (to: number): void => {
    parts.push(text.slice(end, to))
    for (let at = end; at < to; at++) places[length++] = starts?.[at] ?? at
  }
  for (const { 0: sequence, index } of text.matchAll(pattern)) {
    keep(index)
    let at = index
    for (const { character, length: sequenceLength } of decode(sequence)) {
      parts.push(character)
      for (let unit = 0; unit < character.length; unit++) places[length++] = starts?.[at] ?? at
      at += sequenceLength
    }
    end = index + sequence.length
  }
  if (end === 0) return undefined
  keep(text.length)
  places[length] = starts?.[text.length] ?? text.length
  return { text: parts.join(''), starts: places }
}

const LENGTH_OF_PERCENT_BYTE = 3

/** Reads the bytes as UTF-8, and as Latin-1 where they are no UTF-8. */
function decodePercent(sequence: string): DecodedCharacter[] {
  const bytes = Buffer.from(sequence.replaceAll('%', ''), 'hex')
  const text = bytes.toString('utf8')
  const isUtf8 = Buffer.from(text, 'utf8').equals(bytes)
  return Array.from(isUtf8 ? text : bytes.toString('latin1'), (character) => ({
    character,
    length: LENGTH_OF_PERCENT_BYTE * (isUtf8 ? Buffer.byteLength(character) : 1),
  }))
}
