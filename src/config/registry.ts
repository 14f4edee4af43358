/** `registry`: the schema registry that holds the Avro schemas of the events. */
import { clientCredentials, toClientCredentials } from './client-credentials.js'
import { rule, section, type Keys } from './section.js'
import { clientTls } from './tls.js'
import { baseUrl, boolean, oneOf, text, textMatching } from './values.js'

/** The three kinds of credentials, of which one is given. */
const KINDS = [['username', 'password'], ['token'], ['tokenEndpoint', 'clientId', 'clientSecret']] as const

/** The characters that names of contexts have in Confluent's registry, whose separators are a dot and colons. */
const CONTEXT_NAME = '^[A-Za-z0-9_-]+$'

const isOneKind = (keys: Keys): boolean => {
  const given = KINDS.filter((kind) => kind.some((key) => key in keys))
  return given.length === 1 && given.every((kind) => kind.every((key) => key in keys))
}

const auth = () =>
  section({
    username: text().exactOptional().describe('User name for HTTP Basic; requires `password`.'),
    password: text().exactOptional().describe('Password for HTTP Basic; requires `username`.'),
    token: text().exactOptional().describe('Bearer token, instead of user name and password.'),
    ...clientCredentials('For tokens by the OAuth 2.0 client credentials grant'),
  })
    .check(
      rule({
        holds: isOneKind,
        problem:
          'needs either username and password, or token, or tokenEndpoint, clientId and clientSecret, and only one of these',
      }),
      rule({
        holds: (keys) => 'tokenEndpoint' in keys || !('scope' in keys || 'tokenEndpointTls' in keys),
        problem: 'scope and tokenEndpointTls have no effect without tokenEndpoint; remove them',
      }),
    )
    .transform(({ username, password = '', token, ...given }) => {
      if (token !== undefined) return { token }
      return username === undefined ? toClientCredentials(given) : { username, password }
    })

export const registry = () =>
  section({
    url: baseUrl('the http:// or https:// address of a Confluent-compatible API').describe(
      'Address of the schema registry: any API that is compatible with that of Confluent. A path is allowed.',
    ),
    tls: clientTls('the registry', '`url`')
      .exactOptional()
      .describe('TLS to a registry with an https address: private authorities, and a client certificate.'),
    auth: auth()
      .exactOptional()
      .describe(
        'Credentials for the registry: user name and password, a token, or an OAuth 2.0 client. If left out, the connector sends none.',
      ),
    register: boolean()
      .prefault(true)
      .describe(
        "Registers the connector's schemas where they are missing. With false, each subject must already hold a schema that the connector's schema can be written with.",
      ),
    subjectNaming: oneOf('topic-name', 'record-name', 'topic-record-name')
      .prefault('topic-name')
      .describe(
        'How subjects are named: <topic>-value, the full name of the record, or <topic>-<full name of the record>.',
      ),
    context: textMatching(CONTEXT_NAME, 'the name of a context of letters, digits, _ and -, such as team for :.team:')
      .exactOptional()
      .describe(
        'The context of the subjects, without dot and colons: with team, their names begin with :.team:. If left out, they are in the default context.',
      ),
  })
