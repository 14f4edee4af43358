/**
 * How registries differ in what they answer. The facts are from the sources of each product: Confluent's Schema Registry
 * 8.5 and 6.1 and Redpanda 25, and from running ones: Apicurio Registry 3.0.9, Karapace 6.2.0 and AxonOps Schema Registry of
 * 2026-04. `codeless` is no product: it has the fewest endpoints, and gives no error codes at all.
 */
export interface RegistryAnswer {
  readonly status?: number
  readonly body: unknown
}

type MissingThing = 'subject' | 'version' | 'schema'

export interface RegistryDialect {
  /** The answer for what the registry does not hold. */
  readonly notFound: (what: MissingThing) => RegistryAnswer
  /** The answer for a path without an endpoint. */
  readonly noEndpoint: RegistryAnswer
  /** Whether `POST /compatibility/subjects/{subject}/versions` exists. */
  readonly testsAllVersions: boolean
  /** Whether `POST /compatibility/subjects/{subject}/versions/{version}` exists. */
  readonly testsOneVersion: boolean
  /** Whether a test against any version is one against all, at a transitive level. */
  readonly testsTransitively: boolean
  /** Whether a test against `latest` says "compatible" for a subject that does not exist. */
  readonly acceptsMissingSubject: boolean
  /** For which subjects `/config/{subject}?defaultToGlobal=true` answers with the global level. */
  readonly defaultsToGlobal: 'every' | 'existing' | 'none'
  /** Whether `/config` exists. */
  readonly hasGlobalLevel: boolean
}

const ERROR_CODES = { subject: 40401, version: 40402, schema: 40403 }

const confluentNotFound = (what: MissingThing): RegistryAnswer => ({
  status: 404,
  body: { error_code: ERROR_CODES[what], message: `${what} not found` },
})

const CONFLUENT: RegistryDialect = {
  notFound: confluentNotFound,
  noEndpoint: { status: 404, body: { error_code: 404, message: 'HTTP 404 Not Found' } },
  testsAllVersions: true,
  testsOneVersion: true,
  testsTransitively: false,
  acceptsMissingSubject: true,
  defaultsToGlobal: 'every',
  hasGlobalLevel: true,
}

export const DIALECTS = {
  confluent: CONFLUENT,
  'confluent-6.1': {
    ...CONFLUENT,
    testsAllVersions: false,
    acceptsMissingSubject: false,
    defaultsToGlobal: 'none',
  },
  apicurio: { ...CONFLUENT, noEndpoint: { status: 404, body: '' }, defaultsToGlobal: 'existing' },
  karapace: {
    ...CONFLUENT,
    // FastAPI's answer, with the detail as JSON.
    noEndpoint: { status: 404, body: '"Not Found"' },
    testsAllVersions: false,
    testsTransitively: true,
    acceptsMissingSubject: false,
    defaultsToGlobal: 'existing',
  },
  axonops: CONFLUENT,
  redpanda: {
    ...CONFLUENT,
    // Seastar's answer. It has a `code`, and no `error_code`.
    noEndpoint: { status: 404, body: { message: 'Not found', code: 404 } },
    testsAllVersions: false,
    acceptsMissingSubject: false,
  },
  codeless: {
    ...CONFLUENT,
    notFound: () => ({ status: 404, body: 'not found' }),
    noEndpoint: { status: 405, body: '' },
    testsAllVersions: false,
    testsOneVersion: false,
    acceptsMissingSubject: false,
    defaultsToGlobal: 'none',
    hasGlobalLevel: false,
  },
} as const satisfies Record<string, RegistryDialect>

export type DialectName = keyof typeof DIALECTS

export const DIALECT_NAMES = Object.keys(DIALECTS) as DialectName[]
