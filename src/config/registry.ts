/** `registry`: the schema registry that holds the Avro schemas of the events. */
import { rule, section } from './section.js'
import { baseUrl, boolean, oneOf, text } from './values.js'

const auth = () =>
  section({
    username: text().exactOptional().describe('User name for HTTP Basic; requires `password`.'),
    password: text().exactOptional().describe('Password for HTTP Basic; requires `username`.'),
    token: text().exactOptional().describe('Bearer token, instead of user name and password.'),
  })
    .check(
      rule({
        holds: (keys) =>
          'token' in keys ? !('username' in keys) && !('password' in keys) : 'username' in keys && 'password' in keys,
        problem: 'needs either username and password, or token',
      }),
    )
    .transform(({ username = '', password = '', token }) => (token === undefined ? { username, password } : { token }))

export const registry = () =>
  section({
    url: baseUrl('the http:// or https:// address of a Confluent-compatible API').describe(
      'Address of the schema registry: any API that is compatible with that of Confluent. A path is allowed.',
    ),
    auth: auth()
      .exactOptional()
      .describe(
        'Credentials for the registry: user name and password, or a token. If left out, the connector sends none.',
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
  })
