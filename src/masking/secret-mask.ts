/**
 * Replaces secrets in texts, in every form that an answer may repeat them in: as they are, Base64 and Base64url, also inside a
 * longer value such as the `user:password` of Basic, hexadecimal, percent-encoded, as in a form, in JSON and in HTML. The case of
 * letters does not matter, because names of header fields, hosts and codings are often written in lower case.
 */
import { unescapedTexts } from './escapes.js'
import { REDACTED } from './secrets.js'

/** A shorter secret is a part of many words, and its replacement would only show where it stands. */
export const MIN_SECRET_LENGTH = 4
/** A secret of this length is no accidental part of a longer word or number. A shorter one counts only as a whole word. */
const DISTINCTIVE_LENGTH = 8
/** The same for a secret of letters alone, such as `connector`, which names and sentences may contain. */
const DISTINCTIVE_WORD_LENGTH = 16
const isDistinctiveText = (secret: string): boolean =>
  secret.length >= (/^[a-z]+([-_.][a-z]+)*$/i.test(secret) ? DISTINCTIVE_WORD_LENGTH : DISTINCTIVE_LENGTH)

/** A text that must not be shown. */
interface HiddenForm {
  readonly text: string
  readonly isDistinctive: boolean
  /** Whether the Base64 text around it, which may hold a user name and the rest of the secret, is hidden with it. */
  readonly isBase64: boolean
}

interface Range {
  readonly start: number
  readonly end: number
}

/** The first characters of a form, by whose hash a text is searched for all forms at once. */
const PREFIX_LENGTH = 4
const HASH_BITS = 16

export class SecretMask {
  /** The forms by the hash of their first characters. */
  readonly #forms = new Map<number, HiddenForm[]>()
  /** 1 for each hash that a form has. It tells of nearly every place of a text that no form begins there. */
  readonly #hasForms = new Uint8Array(1 << HASH_BITS)
  #hasSpaces = false

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets)
  }

  /** Adds secrets. Those that are shorter than `MIN_SECRET_LENGTH` are ignored. */
  add(secrets: Iterable<string>): void {
    for (const secret of secrets) {
      if (secret.length < MIN_SECRET_LENGTH) continue
      this.#hasSpaces ||= secret.includes(' ')
      for (const form of formsOf(secret)) this.#addForm({ ...form, text: toLowerCase(form.text) })
    }
  }

  /** Hides secrets in a text that others may have written. */
  hide(text: string): string {
    return this.#replace(text, false)
  }

  /**
   * Hides only secrets that can't be a part of anything else, for texts with a structure: JSON, HTML, a table. A password `seven`
   * would otherwise take the name of a provider away.
   */
  hideDistinctive(text: string): string {
    return this.#replace(text, true)
  }

  #addForm(form: HiddenForm): void {
    const hash = hashOfPrefix(form.text)
    const forms = this.#forms.get(hash) ?? []
    if (forms.some(({ text }) => text === form.text)) return
    this.#forms.set(hash, [...forms, form])
    this.#hasForms[hash] = 1
  }

  #replace(original: string, isDistinctiveOnly: boolean): string {
    if (original.length < PREFIX_LENGTH || this.#forms.size === 0) return original
    const ranges: Range[] = []
    for (const { text, starts } of unescapedTexts(original, this.#hasSpaces)) {
      for (const { start, end } of this.#find(text, isDistinctiveOnly)) {
        ranges.push({ start: starts?.[start] ?? start, end: starts?.[end] ?? end })
      }
    }
    return replaceRanges(original, ranges)
  }

  #find(text: string, isDistinctiveOnly: boolean): Range[] {
    const ranges: Range[] = []
    let hash = 0
    for (let index = 0; index < text.length; index++) {
      hash = nextHash(hash, text.charCodeAt(index))
      if (this.#hasForms[hash] === 0) continue
      const at = index - PREFIX_LENGTH + 1
      for (const form of this.#forms.get(hash) ?? []) {
        if (isDistinctiveOnly && !form.isDistinctive) continue
        const range = rangeAt(text, at, form)
        if (range !== undefined) ranges.push(range)
      }
    }
    return ranges
  }
}

/** The bits by which a hash is moved for the next character, so that only the last `PREFIX_LENGTH` characters count. */
const BITS_PER_CHARACTER = HASH_BITS / PREFIX_LENGTH

/** The hash of the last `PREFIX_LENGTH` characters of a text, regardless of the case of ASCII letters. */
function nextHash(hash: number, code: number): number {
  const isUpperCase = code >= 0x41 && code <= 0x5a
  return ((hash << BITS_PER_CHARACTER) ^ (isUpperCase ? code + 0x20 : code)) & ((1 << HASH_BITS) - 1)
}

const hashOfPrefix = (text: string): number => {
  let hash = 0
  for (let index = 0; index < PREFIX_LENGTH; index++) hash = nextHash(hash, text.charCodeAt(index))
  return hash
}

function* formsOf(secret: string): Generator<HiddenForm> {
  const isDistinctive = isDistinctiveText(secret)
  const bytes = Buffer.from(secret, 'utf8')
  yield { text: secret, isDistinctive, isBase64: false }
  // A line of a private key is Base64 already, and nobody encodes it again line by line.
  if (secret.length >= MIN_PEM_LINE_LENGTH && PEM_LINE.test(secret)) return
  // UTF-8 that was read as Latin-1.
  if (bytes.length !== secret.length) yield { text: bytes.toString('latin1'), isDistinctive, isBase64: false }
  yield { text: bytes.toString('hex'), isDistinctive: true, isBase64: false }
  yield { text: unpadded(bytes.toString('base64')), isDistinctive, isBase64: true }
  for (const offset of [0, 1, 2]) {
    const core = base64Core(bytes, offset)
    if (core.length < DISTINCTIVE_LENGTH) continue
    for (const text of new Set([core, core.replaceAll('+', '-').replaceAll('/', '_')])) {
      yield { text, isDistinctive: true, isBase64: true }
    }
  }
}

/** The length of the lines of a PEM block, the last one excepted. */
export const MIN_PEM_LINE_LENGTH = 60
const PEM_LINE = /^[A-Za-z0-9+/=]+$/

const unpadded = (base64: string): string => base64.replace(/=+$/, '')

/**
 * The characters of a Base64 text that depend on these bytes alone, whatever stands before and after them.
 * @param offset the number of bytes before these, modulo 3
 */
function base64Core(bytes: Uint8Array, offset: number): string {
  const base64 = unpadded(Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64'))
  const start = Math.ceil((offset * 8) / 6)
  const end = Math.floor(((offset + bytes.length) * 8) / 6)
  return base64.slice(start, end)
}

/** Changes ASCII letters only, so that every character stays in its place. */
const toLowerCase = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())

const WORD_CHARACTER = /[\w-]/
const BASE64_CHARACTER = /[\w+/=-]/

/** @returns what is hidden if the form stands at this place of the text */
function rangeAt(text: string, at: number, { text: form, isDistinctive, isBase64 }: HiddenForm): Range | undefined {
  let start = at
  let end = at + form.length
  if (toLowerCase(text.slice(start, end)) !== form) return undefined
  const isPartOfWord = WORD_CHARACTER.test(text.charAt(start - 1)) || WORD_CHARACTER.test(text.charAt(end))
  if (!isDistinctive && isPartOfWord) return undefined
  if (isBase64) {
    while (BASE64_CHARACTER.test(text.charAt(start - 1))) start--
    while (BASE64_CHARACTER.test(text.charAt(end))) end++
  }
  return { start, end }
}

/** Replaces ranges that may overlap, each group of them by one mark. */
function replaceRanges(text: string, ranges: readonly Range[]): string {
  if (ranges.length === 0) return text
  let shown = ''
  let end = 0
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    if (range.start >= end) shown += text.slice(end, range.start) + REDACTED
    end = Math.max(end, range.end)
  }
  return shown + text.slice(end)
}
