/** `records`: what the records on the topics of receipts and messages hold of people. */
import { RECORD_FIELD_MODES } from '../masking/record-fields.js'
import { section, withDefaults } from './section.js'
import { oneOf, textKind, value } from './values.js'

const MIN_SECRET_CHARACTERS = 32

/** Phone numbers are few enough to try out, so that only the length of the secret keeps their hashes apart from them. */
const keySecret = () =>
  value({
    expected: `a secret of at least ${MIN_SECRET_CHARACTERS} characters ("openssl rand -hex 32" makes one)`,
    jsonSchema: { type: 'string', pattern: `^.{${MIN_SECRET_CHARACTERS},}$|\\$\\{` },
    parse: (given) => (given.length >= MIN_SECRET_CHARACTERS ? textKind().parse(given) : undefined),
  })

const fieldMode = () => oneOf(...RECORD_FIELD_MODES).prefault('plain')

export const records = () =>
  section({
    dlr: withDefaults(
      section({
        raw: fieldMode().describe(
          'The field raw of delivery receipts: plain; masked (the length of each value in its place); omitted (an empty map).',
        ),
      }),
    ).describe('Records of delivery receipts.'),
    mo: withDefaults(
      section({
        raw: fieldMode().describe(
          'The field raw of inbound messages: plain; masked (the length of each value in its place); omitted (an empty map).',
        ),
        text: fieldMode().describe(
          'The field text of inbound messages: plain; masked (its length in its place); omitted (an empty text).',
        ),
        keySecret: keySecret()
          .exactOptional()
          .describe(
            'Secret with which the sender is hashed for the record key (HMAC-SHA-256). It must be the same in all replicas and stay the same. If left out, the key is the sender.',
          ),
      }),
    ).describe('Records of inbound messages.'),
  })
