/** Every key of the configuration is known to be a secret or to be none, so that a new secret can't be forgotten. */
import { describe, expect, it } from 'vitest'
import { toJsonSchema } from '../../src/config/json-schema.js'
import { schema } from '../../src/config/schema.js'
import { DURATION_PATTERN, SIZE_PATTERN } from '../../src/config/units.js'
import { isSecretKey, SECRET_KEYS } from '../../src/masking/secrets.js'

type Schema = Readonly<Record<string, unknown>>

/** The paths of the keys that take any text, with `*` for a name that the file chooses and for an item of a list. */
function* textKeys(node: Schema, path: readonly string[] = []): Generator<string> {
  const { properties, additionalProperties, items, type, pattern = '' } = node
  const forms = (node['anyOf'] ?? []) as readonly Schema[]
  const isValueOfAnotherType = forms.some(
    (form) => 'enum' in form || /^(integer|number|boolean)$/.test(String(form['type'])),
  )
  if (isValueOfAnotherType) return
  for (const form of forms) yield* textKeys(form, path)
  for (const [key, each] of Object.entries((properties as Schema | undefined) ?? {})) {
    yield* textKeys(each as Schema, [...path, key])
  }
  if (typeof additionalProperties === 'object') yield* textKeys(additionalProperties as Schema, [...path, '*'])
  if (typeof items === 'object') yield* textKeys(items as Schema, path)
  const isUnit = String(pattern).startsWith(DURATION_PATTERN) || String(pattern).startsWith(SIZE_PATTERN)
  if (type === 'string' && !isUnit) yield path.join('.')
}

/** Keys whose values may be shown. A key that is missing here must be one of SECRET_KEYS in src/masking/secrets.ts. */
const PUBLIC_KEYS = new Set([
  ...['instance', 'directory', 'host', 'group', 'topic', 'topicArns', 'endpoint', 'context', 'noProxy'],
  ...[
    'brokers',
    'ca',
    'cert',
    'clientCa',
    'serverName',
    'scope',
    'region',
    'dlr',
    'mo',
    'deadLetter',
    'deadLetterReplays',
  ],
  // User names are redacted where the configuration is shown, and hidden in quotations.
  ...['username', 'clientId'],
  // A password in an address is found by its form.
  ...['url', 'tokenEndpoint', 'publicUrl'],
  ...['serviceId', 'limitParameter', 'allowFrom', 'textFields', 'ignoreEvents', 'contentType', 'body'],
])

const found = [...new Set(textKeys(toJsonSchema(schema)))]
const undecided = found.filter((key) => {
  const path = key.split('.')
  return !isSecretKey(path) && !PUBLIC_KEYS.has(path.at(-1)!)
})

describe('The keys of the configuration', () => {
  it('are each a secret, or known to be none', () => {
    expect(undecided).toEqual([])
  })

  it('include every key that is known to be a secret', () => {
    const names = new Set(found.flatMap((key) => key.split('.')))
    expect(SECRET_KEYS.filter((key) => !names.has(key))).toEqual([])
  })
})
