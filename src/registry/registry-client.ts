/**
 * The REST calls that publishing depends on, in the dialect of Confluent's Schema Registry (Apicurio, Karapace and
 * Redpanda speak it too).
 *
 * Not done by @kafkajs/confluent-schema-registry: its `register` writes a compatibility level of its own choice for
 * every new subject and throws on one with a level that it does not know. Nothing here writes configuration.
 */
import { Agent, request } from 'undici'
import { ConnectorError, messageOf } from '../core/errors.js'

export interface RegistrySettings {
  /** A path is allowed, a trailing slash too, `user:password@` as well. */
  readonly url: string
  readonly auth?: { readonly username: string; readonly password: string } | { readonly token: string } | undefined
}

export interface Version {
  readonly id: number
  readonly version: number
  /** JSON text of the schema. */
  readonly schema: string
  /** Absent means AVRO. */
  readonly schemaType?: string
}

export interface Verdict {
  readonly compatible: boolean
  /** The registry's own words; some registries give none. */
  readonly messages: readonly string[]
}

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json'
/** Milliseconds for one call, from connecting to the last byte. */
const TIMEOUT = 5_000
/** Bytes of one answer: far more than any schema, far less than memory. */
const LONGEST_ANSWER = 16 * 1024 * 1024
/** The wire format has four bytes for an id, and readers take them as signed. */
const LARGEST_ID = 2 ** 31 - 1

export class RegistryClient {
  /** Without credentials, without a trailing slash. */
  readonly url: string
  readonly #headers: Record<string, string>
  readonly #agent = new Agent({
    connections: 2,
    headersTimeout: TIMEOUT,
    bodyTimeout: TIMEOUT,
    connect: { timeout: TIMEOUT },
    maxResponseSize: LONGEST_ANSWER,
  })

  constructor(settings: RegistrySettings) {
    const url = new URL(settings.url)
    const auth =
      settings.auth ??
      (url.username
        ? { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
        : undefined)
    this.url = `${url.origin}${url.pathname}`.replace(/\/+$/, '')
    this.#headers = { accept: `${CONTENT_TYPE}, application/json`, ...authorization(auth) }
  }

  /** The id under which the subject holds exactly this schema. */
  async lookup(subject: string, schema: string, timeout = TIMEOUT): Promise<number | undefined> {
    const found = await this.#call('POST', `/subjects/${encodeURIComponent(subject)}`, { schema }, timeout)
    return found && idIn(found, this.url)
  }

  /** The level that applies to the subject: its own, else the global one; undefined where the registry names none. */
  async compatibilityLevel(subject: string): Promise<string | undefined> {
    const own = await this.#call('GET', `/config/${encodeURIComponent(subject)}?defaultToGlobal=true`)
    // Registries that do not know `defaultToGlobal` answer 404 for a subject without a level of its own.
    const answer = own ?? (await this.#call('GET', '/config'))
    const level = answer?.['compatibilityLevel'] ?? answer?.['compatibility']
    return typeof level === 'string' ? level.toUpperCase() : undefined
  }

  /** Whether the schema may follow the latest version, or all versions, by the level that applies. */
  async compatibility(subject: string, schema: string, versions: 'latest' | 'all'): Promise<Verdict> {
    const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions${versions === 'latest' ? '/latest' : ''}`
    const answer = await this.#call('POST', `${path}?verbose=true`, { schema })
    if (!answer) return { compatible: true, messages: [] } // no such subject, or no version of it
    const { messages } = answer
    return {
      compatible: answer['is_compatible'] === true,
      messages: Array.isArray(messages) ? messages.map(String) : [],
    }
  }

  /** @throws ConnectorError SCHEMA_REFUSED with the registry's reason */
  async register(subject: string, schema: string): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const answer = await this.#call('POST', path, { schema })
    if (!answer) throw notARegistry(this.url, `POST ${path} is answered with 404`)
    return idIn(answer, this.url)
  }

  /** JSON text of the schema with this id. */
  async schemaOf(id: number, timeout = TIMEOUT): Promise<string | undefined> {
    const answer = await this.#call('GET', `/schemas/ids/${id}`, undefined, timeout)
    return answer && stringIn(answer, 'schema', this.url)
  }

  /** Version numbers of a subject, oldest first; empty where there is no such subject. */
  async versions(subject: string): Promise<number[]> {
    const answer = await this.#call('GET', `/subjects/${encodeURIComponent(subject)}/versions`)
    return Array.isArray(answer) ? answer.map(Number).sort((a, b) => a - b) : []
  }

  async version(subject: string, version: number): Promise<Version | undefined> {
    const answer = await this.#call('GET', `/subjects/${encodeURIComponent(subject)}/versions/${version}`)
    if (!answer) return undefined
    const type = answer['schemaType']
    return {
      id: idIn(answer, this.url),
      version,
      schema: stringIn(answer, 'schema', this.url),
      ...(typeof type === 'string' && { schemaType: type }),
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  /** The JSON of a 2xx answer; undefined for a 404 in which the registry says that it has no such thing. */
  async #call(method: 'GET' | 'POST', path: string, body?: object, timeout = TIMEOUT): Promise<Answer | undefined> {
    const { status, text } = await this.#send(method, path, body, timeout)
    const answer = parse(text)
    const reason = typeof answer?.['message'] === 'string' ? answer['message'] : undefined
    const what = `${method} ${this.url}${path} is answered with ${status}${reason ? `: ${reason}` : ''}`
    if (status >= 200 && status < 300) {
      if (answer) return answer
      throw notARegistry(this.url, `${what}, and that is no JSON`)
    }
    if (status === 404 && typeof answer?.['error_code'] === 'number') return undefined
    if (status >= 500 || status === 429 || status === 408)
      throw new ConnectorError('REGISTRY_UNREACHABLE', `${what}; this is tried again`)
    if (status === 401 || status === 403) {
      throw new ConnectorError('REGISTRY_REFUSED', `${what}; check registry.auth, and what this account may do`)
    }
    if (status === 409 || status === 422) throw new ConnectorError('SCHEMA_REFUSED', what)
    throw notARegistry(this.url, what)
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    body: object | undefined,
    timeout: number,
  ): Promise<{ status: number; text: string }> {
    try {
      const answer = await request(`${this.url}${path}`, {
        method,
        headers: body ? { ...this.#headers, 'content-type': CONTENT_TYPE } : this.#headers,
        body: body ? JSON.stringify(body) : null,
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(timeout),
      })
      return { status: answer.statusCode, text: await answer.body.text() }
    } catch (error) {
      if ((error as { code?: unknown }).code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
        throw notARegistry(this.url, `${method} ${this.url}${path} is answered with more than ${LONGEST_ANSWER} bytes`)
      throw new ConnectorError(
        'REGISTRY_UNREACHABLE',
        `the schema registry at ${this.url} can't be reached: ${messageOf(error)}`,
        { cause: error },
      )
    }
  }
}

type Answer = Readonly<Record<string, unknown>>

const authorization = (auth: RegistrySettings['auth']): Record<string, string> => {
  if (!auth) return {}
  if ('token' in auth) return { authorization: `Bearer ${auth.token}` }
  return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` }
}

const parse = (text: string): Answer | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Answer) : undefined
  } catch {
    return undefined
  }
}

const notARegistry = (url: string, found: string): ConnectorError =>
  new ConnectorError(
    'REGISTRY_REFUSED',
    `${found}; check that registry.url (${url}) is the root of a Confluent-compatible API, its path included`,
  )

const idIn = (answer: Answer, url: string): number => {
  const { id } = answer
  if (typeof id !== 'number') throw notARegistry(url, 'an answer of the registry has no number "id"')
  if (Number.isInteger(id) && id >= 0 && id <= LARGEST_ID) return id
  throw notARegistry(url, `the registry has given the schema id ${id}, which no record can carry`)
}

const stringIn = (answer: Answer, key: string, url: string): string => {
  const value = answer[key]
  if (typeof value === 'string') return value
  throw notARegistry(url, `an answer of the registry has no text "${key}"`)
}
