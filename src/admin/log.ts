/**
 * The log: JSON lines.
 *
 * The configuration is logged only with its secrets redacted, and headers are never logged. As a second line of defence
 * the fields in `CREDENTIAL_FIELDS` are removed from every line. `detail` may quote a provider, so phone numbers in it are
 * masked.
 */
import { type DestinationStream, pino } from 'pino'
import type { Config } from '../config/types.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { personalDataMask } from '../masking/personal-data.js'
import { SECRET_KEYS } from '../masking/secrets.js'

export type LogOptions = Config['log'] & Pick<Config, 'instance'>

const CREDENTIAL_FIELDS = [...SECRET_KEYS, 'secret', 'authorization', 'cookie', 'x-api-key', 'x-signature']

export const createLog = (options: LogOptions, destination: DestinationStream): Log => {
  const { sentence } = personalDataMask(options.personalData)
  return pino(
    {
      level: options.level,
      base: { instance: options.instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: {
        err: serialiseError,
        error: serialiseError,
        detail: (value: unknown) => (typeof value === 'string' ? sentence(value) : value),
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
    destination,
  )
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
