/**
 * The REST client of the schema registry, with the API of Confluent's Schema Registry. Apicurio, Karapace and Redpanda
 * implement it too, each with differences:
 *
 * - Karapace and Redpanda have no endpoint that tests a schema against all versions of a subject, and neither had Confluent
 *   before 7.0. Each version is tested by itself then.
 * - A path without an endpoint is answered with 404 and `error_code` 404 (Confluent), without any `error_code` (Karapace,
 *   Redpanda), or with 405 or 501. Only the codes from 40400 to 40499 say that a subject, version or schema is missing.
 * - `/config/{subject}` answers 404 for a subject without a level of its own, where `defaultToGlobal` is not known, and
 *   in Karapace for a subject that does not exist.
 *
 * - Confluent, Redpanda and AxonOps have contexts, each with schema ids of its own. Apicurio and Karapace take the prefix
 *   `:.context:` for a part of the name, and have one series of ids. AxonOps does not decode `%3A` in a path,
 *   and ignores the context of an id in the query.
 * - Karapace answers a registration without the right to write with 404 and 40401, as if the subject were missing.
 * - Karapace and Apicurio have no mode that can be changed. The others refuse a registration with 422 and 42205 in READONLY.
 *
 * A wrong `registry.url` is answered with 404 as well. So a 404 without one of these codes is taken for a missing endpoint
 * only after the address has given an answer that a registry gives.
 *
 * `@kafkajs/confluent-schema-registry` is not used for this: its `register` sets a compatibility level of its own choice
 * for every new subject, and throws if a subject has a level that it does not know. This client never changes the
 * configuration of the registry.
 */
import type { Config } from '../config/types.js'
import { basicAuthorization } from '../http-client/basic-authorization.js'
import { type Clock, systemClock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import { parseJsonObject } from '../core/json.js'
import { HttpClient, type HttpTextAnswer } from '../http-client/http-client.js'
import { TokenError, TokenSource } from '../http-client/oauth-token.js'
import { ProxyError } from '../http-client/proxy.js'
import type { ProxySettings } from '../http-client/settings.js'
import { tlsAdvice } from '../http-client/tls.js'
import { quote } from '../masking/known-secrets.js'
import { contextPrefix } from './schemas.js'

/** `registry` of the configuration. The URL may hold a path, a trailing slash and `user:password@`. */
export interface RegistrySettings extends Pick<Config['registry'], 'url' | 'auth' | 'tls' | 'context'> {
  readonly proxy?: ProxySettings | undefined
}

export interface SchemaVersion {
  readonly id: number
  readonly version: number
  /** JSON text of the schema. */
  readonly schema: string
  /** Absent for AVRO. */
  readonly schemaType?: string
}

export interface CompatibilityResult {
  readonly isCompatible: boolean
  /** Reasons as the registry gives them. Some registries give none. */
  readonly messages: readonly string[]
}

const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json'
/** The time for one request, from connecting to the last byte. */
const REQUEST_TIMEOUT_MS = 5_000
/** Far more than any schema, and far less than the memory of the process. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024
/** The wire format has four bytes for an id, and consumers read them as a signed number. */
const MAX_SCHEMA_ID = 2 ** 31 - 1
/** Levels have up to 19 characters, and what else a registry may answer is shown by its beginning. */
const MAX_LEVEL_CHARACTERS = 40
/** The reasons against a schema that are shown. */
const MAX_MESSAGES = 20

/** Codes of Confluent's API for "not found": the HTTP status 404 and two digits that say what is missing. */
const NOT_FOUND_CODES = { first: 40400, last: 40499 }
/** Confluent's code for a registration that the mode of the subject does not permit: READONLY, IMPORT or FORWARD. */
const NOT_PERMITTED_CODE = 42205

/** Credentials that stay the same. */
type FixedCredentials = Exclude<NonNullable<RegistrySettings['auth']>, { readonly tokenEndpoint: string }>

type Method = 'GET' | 'POST'
type Answer = Readonly<Record<string, unknown>>
/**
 * - `not-found`: the registry says that it holds no such subject, version or schema.
 * - `unsupported`: the registry has no such endpoint. Registries that give no error codes answer like this also for what
 *   they do not hold.
 */
type Missing = 'not-found' | 'unsupported'

/** The registry registers nothing in the mode that it, or the subject, is in. */
export class RegistrationNotPermittedError extends ConnectorError {}

const COMPATIBLE: CompatibilityResult = { isCompatible: true, messages: [] }

export class RegistryClient {
  /** Address of the registry, without credentials and trailing slash. */
  readonly url: string
  readonly #http: HttpClient
  /** The query that says in which context an id is looked up. */
  readonly #contextQuery: string
  readonly #clock: Clock
  #clockLeadMs: number | undefined
  /** The header Authorization, unless its value is a token that expires. */
  readonly #authorization: string | undefined
  /** The source of tokens that expire. */
  readonly #tokens: TokenSource | undefined
  /** Whether an answer has shown that the URL is the root of a registry. */
  #isRegistryKnown = false

  constructor(settings: RegistrySettings, clock: Clock = systemClock) {
    const { auth, tls, proxy } = settings
    const url = new URL(settings.url)
    this.url = `${url.origin}${url.pathname}`.replace(/\/+$/, '')
    this.#contextQuery =
      settings.context === undefined ? '' : `?subject=${encodeURIComponent(contextPrefix(settings.context))}`
    this.#clock = clock
    this.#http = new HttpClient({ tls, proxy, timeoutMs: REQUEST_TIMEOUT_MS, maxAnswerBytes: MAX_ANSWER_BYTES })
    if (auth !== undefined && 'tokenEndpoint' in auth) {
      this.#tokens = new TokenSource({ credentials: auth, section: 'registry.auth', proxy }, clock)
    } else {
      this.#authorization = authorizationOf(auth ?? credentialsIn(url))
    }
  }

  /**
   * How far the clock of this machine is ahead of the registry's, to about a second, by the header `Date` of the last answer;
   * undefined if no answer had one.
   */
  get clockLeadMs(): number | undefined {
    return this.#clockLeadMs
  }

  /**
   * Returns the id under which the subject holds this schema; undefined if it does not.
   * @param form `exact`: the text, as far as the registry distinguishes texts; `normalized`: a schema that is the same in the
   *   registry's normal form, for example with its keys in another order
   */
  async findId(subject: string, schema: string, form: 'exact' | 'normalized' = 'exact'): Promise<number | undefined> {
    const query = form === 'normalized' ? '?normalize=true' : ''
    const answer = await this.#call('POST', `${subjectPath(subject)}${query}`, { schema })
    return isMissing(answer) ? undefined : readSchemaId(answer, this.url)
  }

  /** Returns the level of the subject, else the global one; undefined if the registry names none. */
  async getCompatibilityLevel(subject: string): Promise<string | undefined> {
    const own = await this.#call('GET', `/config/${toPathSegment(subject)}?defaultToGlobal=true`)
    const answer = isMissing(own) ? await this.#call('GET', '/config') : own
    if (isMissing(answer)) return undefined
    const level = answer['compatibilityLevel'] ?? answer['compatibility']
    return typeof level === 'string' ? quote(level.toUpperCase(), MAX_LEVEL_CHARACTERS) : undefined
  }

  /**
   * Checks, by the subject's level, whether the schema may follow the latest version or all versions.
   * @returns undefined if the registry has no endpoint that tells
   */
  async checkCompatibility(
    subject: string,
    schema: string,
    versions: 'latest' | 'all',
  ): Promise<CompatibilityResult | undefined> {
    const path = `/compatibility${subjectPath(subject)}/versions`
    const result = await this.#postCompatibility(versions === 'latest' ? `${path}/latest` : path, schema)
    if (result !== 'unsupported') return result
    const numbers = await this.listVersions(subject)
    const results: CompatibilityResult[] = []
    for (const number of versions === 'latest' ? numbers.slice(-1) : numbers) {
      const ofVersion = await this.#postCompatibility(`${path}/${number}`, schema)
      if (ofVersion === 'unsupported') return undefined
      results.push({ ...ofVersion, messages: ofVersion.messages.map((message) => `version ${number}: ${message}`) })
    }
    return {
      isCompatible: results.every(({ isCompatible }) => isCompatible),
      messages: results.flatMap(({ messages }) => messages),
    }
  }

  /**
   * Registers the schema and returns its id.
   * @throws ConnectorError SCHEMA_REFUSED with the registry's reason, REGISTRY_REFUSED; RegistrationNotPermittedError
   */
  async register(subject: string, schema: string): Promise<number> {
    const path = `${subjectPath(subject)}/versions`
    const answer = await this.#call('POST', path, { schema })
    if (answer === 'not-found') {
      throw new ConnectorError(
        'REGISTRY_REFUSED',
        `POST ${this.url}${path} is answered with 404 as if there were no such subject, which a registry that hides subjects ` +
          'answers to an account without the right to write. Check registry.auth and the rights of this account',
      )
    }
    if (isMissing(answer)) throw notARegistryError(this.url, `POST ${path} is answered with 404, 405 or 501`)
    return readSchemaId(answer, this.url)
  }

  /** Returns the JSON text of the schema with this id; undefined if there is none. */
  async getSchema(id: number, timeoutMs = REQUEST_TIMEOUT_MS): Promise<string | undefined> {
    const answer = await this.#call('GET', `/schemas/ids/${id}${this.#contextQuery}`, undefined, timeoutMs)
    return isMissing(answer) ? undefined : readText(answer, 'schema', this.url)
  }

  /** Returns the version numbers of a subject, oldest first; empty if there is no such subject. */
  async listVersions(subject: string): Promise<number[]> {
    const answer = await this.#call('GET', `${subjectPath(subject)}/versions`)
    return Array.isArray(answer) ? answer.map(Number).sort((a, b) => a - b) : []
  }

  async getVersion(subject: string, version: number | 'latest'): Promise<SchemaVersion | undefined> {
    const answer = await this.#call('GET', `${subjectPath(subject)}/versions/${version}`)
    if (isMissing(answer)) return undefined
    const { schemaType, version: number = version } = answer
    return {
      id: readSchemaId(answer, this.url),
      version: Number(number),
      schema: readText(answer, 'schema', this.url),
      ...(typeof schemaType === 'string' && { schemaType }),
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#http.close(), this.#tokens?.close()])
  }

  async #postCompatibility(path: string, schema: string): Promise<CompatibilityResult | 'unsupported'> {
    const answer = await this.#call('POST', `${path}?verbose=true`, { schema })
    if (answer === 'unsupported') return answer
    // A subject without versions accepts any schema.
    if (isMissing(answer)) return COMPATIBLE
    const { messages } = answer
    return {
      isCompatible: answer['is_compatible'] === true,
      messages: Array.isArray(messages) ? messages.slice(0, MAX_MESSAGES).map((message) => quote(String(message))) : [],
    }
  }

  /**
   * Returns the JSON of a 2xx answer, or why there is none.
   * @throws ConnectorError REGISTRY_UNREACHABLE, REGISTRY_REFUSED, SCHEMA_REFUSED
   */
  async #call(method: Method, path: string, body?: object, timeoutMs = REQUEST_TIMEOUT_MS): Promise<Answer | Missing> {
    const { status, text, forwardedBy } = await this.#send(method, path, body, timeoutMs)
    const answer = parseJsonObject(text)
    const isSuccess = status >= 200 && status < 300
    const isNotFound = status === 404 && isNotFoundCode(answer?.['error_code'])
    if (isNotFound || (isSuccess && answer)) this.#isRegistryKnown = true
    if (isSuccess && answer) return answer
    if (isNotFound) return 'not-found'
    const reason = typeof answer?.['message'] === 'string' ? quote(answer['message']) : undefined
    const through = forwardedBy === undefined ? '' : ` through the proxy ${forwardedBy}`
    const found = `${method} ${this.url}${path} is answered${through} with ${status}${reason ? `: ${reason}` : ''}`
    if (isSuccess) throw notARegistryError(this.url, `${found}, and the body is no JSON`)
    if (isMissingEndpoint(status)) {
      await this.#assertIsRegistry(found, timeoutMs)
      return 'unsupported'
    }
    if (answer?.['error_code'] === NOT_PERMITTED_CODE) throw new RegistrationNotPermittedError('SCHEMA_REFUSED', found)
    throw this.#toError(status, found)
  }

  /** @param found the request, the status and the reason that the registry gives */
  #toError(status: number, found: string): ConnectorError {
    if (status >= 500 || status === 429 || status === 408) {
      return new ConnectorError(
        'REGISTRY_UNREACHABLE',
        `${found}; see the log of the registry. run retries the request`,
      )
    }
    if (status === 401 || status === 403) {
      return new ConnectorError('REGISTRY_REFUSED', `${found}; check registry.auth and the rights of this account`)
    }
    if (status === 409 || status === 422) return new ConnectorError('SCHEMA_REFUSED', found)
    return notARegistryError(this.url, found)
  }

  /**
   * Tells a registry that lacks an endpoint from an address that is none: only a registry lists its subjects.
   * @param found the answer that may mean either
   * @throws ConnectorError REGISTRY_REFUSED if the address is none, or if the list is refused; REGISTRY_UNREACHABLE
   */
  async #assertIsRegistry(found: string, timeoutMs: number): Promise<void> {
    if (this.#isRegistryKnown) return
    const { status, text } = await this.#send('GET', '/subjects', undefined, timeoutMs)
    const isSuccess = status >= 200 && status < 300
    if (!isSuccess && !isMissingEndpoint(status))
      throw this.#toError(status, `GET ${this.url}/subjects is answered with ${status}`)
    if (!isSuccess || !Array.isArray(parseJsonObject(text))) throw notARegistryError(this.url, found)
    this.#isRegistryKnown = true
  }

  /** Sends a request. If the registry refuses a token before its time, the request is repeated once with a new one. */
  async #send(method: Method, path: string, body: object | undefined, timeoutMs: number): Promise<HttpTextAnswer> {
    const tokens = this.#tokens
    if (tokens === undefined) return this.#exchange(method, path, body, timeoutMs, this.#authorization)
    const token = await this.#getToken(tokens)
    const first = await this.#exchange(method, path, body, timeoutMs, `Bearer ${token}`)
    if (first.status !== 401) return first
    tokens.discard(token)
    const renewed = await this.#getToken(tokens)
    return this.#exchange(method, path, body, timeoutMs, `Bearer ${renewed}`)
  }

  async #getToken(tokens: TokenSource): Promise<string> {
    try {
      return await tokens.getToken()
    } catch (error) {
      const code = error instanceof TokenError && error.isRefusal ? 'REGISTRY_REFUSED' : 'REGISTRY_UNREACHABLE'
      throw new ConnectorError(code, `the schema registry at ${this.url} can't be asked: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }

  async #exchange(
    method: Method,
    path: string,
    body: object | undefined,
    timeoutMs: number,
    authorization: string | undefined,
  ): Promise<HttpTextAnswer> {
    try {
      const answer = await this.#http.send({
        method,
        url: `${this.url}${path}`,
        headers: {
          accept: `${CONTENT_TYPE}, application/json`,
          ...(authorization !== undefined && { authorization }),
          ...(body && { 'content-type': CONTENT_TYPE }),
        },
        body: body && JSON.stringify(body),
        timeoutMs,
      })
      const sentAt = Date.parse(answer.date ?? '')
      if (!Number.isNaN(sentAt)) this.#clockLeadMs = this.#clock.now() - sentAt
      return answer
    } catch (error) {
      if ((error as { code?: unknown }).code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
        const found = `${method} ${this.url}${path} is answered with more than ${MAX_ANSWER_BYTES} bytes`
        throw notARegistryError(this.url, found)
      }
      throw new ConnectorError('REGISTRY_UNREACHABLE', this.#describeFailure(error), { cause: error })
    }
  }

  #describeFailure(error: unknown): string {
    const problem = `the schema registry at ${this.url} can't be reached: ${quote(messageOf(error))}`
    // The message of the proxy's error says what to do.
    if (error instanceof ProxyError) return problem
    const advice = tlsAdvice(error, 'registry.tls', 'registry.url', this.url)
    return `${problem}; ${advice ?? 'check registry.url and whether the registry runs'}`
  }
}

const subjectPath = (subject: string): string => `/subjects/${toPathSegment(subject)}`

/** Colons may stand in a path as they are, and not every registry decodes them. */
const toPathSegment = (name: string): string => encodeURIComponent(name).replaceAll('%3A', ':')

const isMissing = (answer: Answer | Missing): answer is Missing => typeof answer === 'string'

const isMissingEndpoint = (status: number): boolean => status === 404 || status === 405 || status === 501

const isNotFoundCode = (code: unknown): boolean =>
  typeof code === 'number' && code >= NOT_FOUND_CODES.first && code <= NOT_FOUND_CODES.last

const credentialsIn = ({ username, password }: URL): FixedCredentials | undefined =>
  username === '' ? undefined : { username: decodeURIComponent(username), password: decodeURIComponent(password) }

const authorizationOf = (auth: FixedCredentials | undefined): string | undefined => {
  if (auth === undefined) return undefined
  if ('token' in auth) return `Bearer ${auth.token}`
  return basicAuthorization(auth.username, auth.password)
}

const notARegistryError = (url: string, found: string): ConnectorError =>
  new ConnectorError(
    'REGISTRY_REFUSED',
    `${found}; check that registry.url (${url}) is the root of a Confluent-compatible API, its path included`,
  )

const readSchemaId = (answer: Answer, url: string): number => {
  const { id } = answer
  if (typeof id !== 'number') throw notARegistryError(url, 'an answer of the registry has no number "id"')
  if (Number.isInteger(id) && id >= 0 && id <= MAX_SCHEMA_ID) return id
  throw notARegistryError(url, `the registry has given the schema id ${id}, which no record can carry`)
}

const readText = (answer: Answer, key: string, url: string): string => {
  const value = answer[key]
  if (typeof value === 'string') return value
  throw notARegistryError(url, `an answer of the registry has no text "${key}"`)
}
