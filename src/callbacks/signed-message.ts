/** Builds the message that a provider signs, from the template of its scheme. */
import { hash } from 'node:crypto'
import type { HttpHeaders, SignedRequest } from './signed-request.js'
import {
  type MessagePart,
  type SignatureField,
  type TemplateToken,
  WHOLE_BODY_PARTS,
} from '../config/signature-scheme.js'
import type { Field } from '../providers/wire/fields.js'
import { formFields, hasMoreFieldsThan } from '../providers/wire/form-fields.js'
import { jsonFields } from '../providers/wire/json-fields.js'

/** A request whose parameters are read once, when they are needed. */
export class MessageSource {
  readonly request: SignedRequest
  /** The complete URL that was called. */
  readonly url: string
  readonly #urlWithoutQuery: string
  readonly #query: string
  #queryFields: readonly Field[] | undefined
  #bodyFields: readonly Field[] | undefined
  #hasTooManyFields = false

  /** @param publicUrl origin and path prefix by which the provider reaches the connector */
  constructor(request: SignedRequest, publicUrl: string) {
    this.request = request
    this.url = publicUrl + request.target
    const question = this.url.indexOf('?')
    this.#urlWithoutQuery = question < 0 ? this.url : this.url.slice(0, question)
    this.#query = question < 0 ? '' : this.url.slice(question + 1)
  }

  /** @returns undefined if the request has no such header or parameter, or one that is empty */
  value({ header, parameter }: SignatureField): string | undefined {
    const found = header === undefined ? this.#parameter(parameter ?? '') : headerOf(this.request.headers, header)
    return found === '' ? undefined : found
  }

  /** Whether fields were needed and not read, so that what was built without them proves nothing. */
  get hasTooManyFields(): boolean {
    return this.#hasTooManyFields
  }

  /**
   * Whether every byte of the body has a part in the message. A message of fields covers only a body that these fields are read
   * from: whoever calls chooses the content type, and the body of an unsigned type would be decoded all the same.
   * @param template of the scheme
   */
  isBodyCoveredBy(template: readonly TemplateToken[]): boolean {
    if (this.request.body.byteLength === 0) return true
    return template.some((token) => {
      if ('text' in token) return false
      if (token.part === 'form-sorted') return this.#hasFormBody
      if (token.part === 'parameters-ampersand') return this.#fieldsOfBody().length > 0
      return WHOLE_BODY_PARTS.includes(token.part)
    })
  }

  get #hasFormBody(): boolean {
    return mediaTypeOf(this.request) === FORM
  }

  /**
   * @param template of the scheme
   * @param without the name of the parameter that holds the signature
   */
  message(template: readonly TemplateToken[], values: MessageValues, without: string | undefined): Buffer {
    const pieces = template.map((token) => ('text' in token ? token.text : this.#part(token.part, values, without)))
    return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
  }

  #part(part: MessagePart, values: MessageValues, without: string | undefined): string | Uint8Array {
    const { method, body } = this.request
    switch (part) {
      case 'url':
        return this.url
      case 'url-without-query':
        return this.#urlWithoutQuery
      case 'method':
        return method
      case 'timestamp':
        return values.timestamp ?? ''
      case 'nonce':
        return values.nonce ?? ''
      case 'body':
        return body
      case 'body-sha256':
        return hash('sha256', body, 'buffer')
      case 'body-sha256-hex':
        return hash('sha256', body)
      case 'body-md5-hex':
        return hash('md5', body)
      case 'query-sorted':
        return sortByName(this.#fieldsOfQuery())
          .map(({ name, value }) => `${name}=${value}`)
          .join('&')
      case 'form-sorted':
        return concatenateForm(this.#formFields())
      case 'form-dot':
        return this.#query !== '' && this.#formFields().length > 0 ? '.' : ''
      case 'parameters-ampersand':
        return sortByName([...this.#fieldsOfQuery(), ...this.#fieldsOfBody()])
          .filter(({ name }) => name !== without)
          .map(({ name, value }) => `&${name}=${value.replace(/[&=]/g, '_')}`)
          .join('')
    }
  }

  #parameter(name: string): string | undefined {
    const isNamed = (field: Field): boolean => field.name === name
    return (this.#fieldsOfQuery().find(isNamed) ?? this.#fieldsOfBody().find(isNamed))?.value
  }

  #fieldsOfQuery(): readonly Field[] {
    this.#queryFields ??= this.#readForm(this.#query)
    return this.#queryFields
  }

  #formFields(): readonly Field[] {
    return this.#hasFormBody ? this.#fieldsOfBody() : []
  }

  /** The fields of a form, or the members of a JSON object. */
  #fieldsOfBody(): readonly Field[] {
    this.#bodyFields ??= this.#readBody()
    return this.#bodyFields
  }

  #readBody(): readonly Field[] {
    const { body } = this.request
    if (this.#hasFormBody) return this.#readForm(Buffer.from(body).toString('latin1'))
    if (!mediaTypeOf(this.request).endsWith('json')) return []
    const fields = jsonFields(Buffer.from(body).toString('utf8'), MAX_FIELDS)
    return Array.isArray(fields) ? fields : []
  }

  #readForm(text: string): readonly Field[] {
    if (!hasMoreFieldsThan(MAX_FIELDS, text)) return formFields(text)
    this.#hasTooManyFields = true
    return []
  }
}

/** Returns the texts that stand directly before and behind a part of a template. */
export const textsBeside = (template: readonly TemplateToken[], part: MessagePart): string[] =>
  template.flatMap((token, index) => {
    if ('text' in token || token.part !== part) return []
    return [template[index - 1], template[index + 1]].flatMap((beside) =>
      beside !== undefined && 'text' in beside ? [beside.text] : [],
    )
  })

/**
 * Far more than a callback has. Whoever sends it has proved nothing yet, and to read and sort the fields of a whole megabyte would
 * keep all other callers waiting.
 */
const MAX_FIELDS = 2_000

/** What was read from the places that the scheme names. */
export interface MessageValues {
  readonly timestamp: string | undefined
  readonly nonce: string | undefined
}

const FORM = 'application/x-www-form-urlencoded'

const mediaTypeOf = ({ headers }: SignedRequest): string =>
  (headerOf(headers, 'content-type') ?? '').split(';')[0]!.trim().toLowerCase()

/** A header that was sent several times has no certain value. */
const headerOf = (headers: HttpHeaders, name: string): string | undefined => {
  const value = headers[name.toLowerCase()]
  return typeof value === 'string' ? value : undefined
}

/** Sorts by the code units of names, and keeps the order of equal ones. */
const sortByName = (fields: readonly Field[]): Field[] =>
  [...fields].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))

/** Each name is followed by its values. Of a name that was sent several times the distinct values are sorted. */
const concatenateForm = (fields: readonly Field[]): string => {
  const values = new Map<string, Set<string>>()
  for (const { name, value } of sortByName(fields)) {
    const known = values.get(name)
    if (known) known.add(value)
    else values.set(name, new Set([value]))
  }
  return Array.from(values, ([name, each]) =>
    [...each]
      .sort()
      .map((value) => name + value)
      .join(''),
  ).join('')
}
