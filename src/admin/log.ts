/**
 * The log: JSON lines.
 *
 * The configuration is logged only with its secrets redacted, and headers are never logged. As a second line of defence
 * the fields in `CREDENTIAL_FIELDS` are removed from every line. Every line then passes through `presentLine`, because any text
 * in it may quote a provider, a registry or a broker: phone numbers are masked, known secrets hidden, and long texts cut.
 */
import { type DestinationStream, pino } from 'pino'
import type { Config } from '../config/types.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { excerpt, hideSecretsInOutput } from '../masking/known-secrets.js'
import { type PersonalData, personalDataMask } from '../masking/personal-data.js'
import { SECRET_KEYS } from '../masking/secrets.js'

export type LogOptions = Config['log'] & Pick<Config, 'instance'>

const CREDENTIAL_FIELDS = [...SECRET_KEYS, 'secret', 'authorization', 'cookie', 'x-api-key', 'x-signature']

export const createLog = (options: LogOptions, destination: DestinationStream): Log => {
  return pino(
    {
      level: options.level,
      base: { instance: options.instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: {
        err: serialiseError,
        error: serialiseError,
      },
      redact: {
        paths: CREDENTIAL_FIELDS.flatMap((name) => ['', '*.', '*.*.'].map((parents) => pathOf(parents, name))),
        censor: '(not shown)',
      },
      hooks: {
        // A line that can't be written must not fail what is logged. The redaction throws for some objects, such as a Buffer.
        logMethod(args, method) {
          try {
            method.apply(this, args)
          } catch (error) {
            const message = args.find((each) => typeof each === 'string')
            const [{ event }] = args as unknown as [{ event?: string }]
            method.call(this, { event, logError: messageOf(error) }, `${String(message)} (its fields can't be written)`)
          }
        },
      },
    },
    { write: (line) => destination.write(presentLine(line, options.personalData)) },
  )
}

/** A text in a line is longer only if others have written it. */
const MAX_TEXT_CHARACTERS = 2_000
const MAX_STACK_CHARACTERS = 6_000
/** A line that is longer, or has as many digits as a phone number, may have a text that needs to be changed. */
const MAX_UNREAD_LINE_CHARACTERS = MAX_TEXT_CHARACTERS
const ENOUGH_DIGITS = /\d(?:[ .]?\d){8}/
/** Fields whose values the connector makes, or that identify a message and not a person. */
const IDENTIFIERS: ReadonlySet<string> = new Set([
  ...['level', 'time', 'instance', 'event', 'source', 'journal', 'directory', 'path'],
  ...['eventId', 'messageId', 'traceId', 'spanId', 'trace_id', 'span_id', 'offset'],
])

/** @param line as pino writes it, with its line break */
function presentLine(line: string, personalData: PersonalData): string {
  const mayNeedChange = line.length > MAX_UNREAD_LINE_CHARACTERS || ENOUGH_DIGITS.test(line)
  if (!mayNeedChange) return hideSecretsInOutput(line)
  const { sentence } = personalDataMask(personalData)
  const shown = presentTexts(JSON.parse(line), '', (text, name) =>
    sentence(excerptOfField(text, name === 'stack' ? MAX_STACK_CHARACTERS : MAX_TEXT_CHARACTERS)),
  )
  return hideSecretsInOutput(`${JSON.stringify(shown)}\n`)
}

/** A text that is cut is searched for every secret before. Any other one is written as it is, with its line breaks. */
const excerptOfField = (text: string, maxCharacters: number): string =>
  text.length > maxCharacters ? excerpt(text, maxCharacters) : text

const presentTexts = (value: unknown, name: string, present: (text: string, name: string) => string): unknown => {
  if (typeof value === 'string') return IDENTIFIERS.has(name) ? value : present(value, name)
  if (Array.isArray(value)) return value.map((each) => presentTexts(each, name, present))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, presentTexts(each, key, present)]))
}

/** A path in the syntax of pino's redaction, which requires brackets around a name with a hyphen. */
const pathOf = (parents: string, name: string): string =>
  /^\w+$/.test(name) ? parents + name : `${parents.replace(/\.$/, '')}["${name}"]`

/**
 * Type, code, message, stack and causes of an error. Other fields are left out, because libraries attach requests,
 * sockets and connection settings to their errors.
 */
const serialiseError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  const code = error instanceof ConnectorError ? error.code : 'code' in error ? error.code : undefined
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: error.message,
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: serialiseError(error.cause) } : {}),
  }
}
