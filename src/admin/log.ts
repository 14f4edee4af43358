/**
 * The log: one JSON line an event, on standard output.
 *
 * Configuration is logged with its secrets replaced only, headers never at all; should an object with a credential slip
 * in anyway, the fields below are cut out. Phone numbers and texts go through `personal`; `detail` may quote a provider.
 */
import { type DestinationStream, type Logger, pino } from 'pino'
import { ConnectorError } from '../core/errors.js'
import { personalDataMask, type PersonalData } from '../masking/personal-data.js'

export interface LogOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  readonly instance: string
  readonly personalData: PersonalData
}

const CREDENTIALS = [
  'password',
  'token',
  'apiKey',
  'signingKey',
  'clientSecret',
  'secret',
  'authorization',
  'cookie',
  'x-api-key',
  'x-signature',
]

/** @param destination standard output if left out */
export const createLog = (options: LogOptions, destination?: DestinationStream): Logger => {
  const { sentence } = personalDataMask(options.personalData)
  return pino(
    {
      level: options.level,
      base: { instance: options.instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: {
        err: serialise,
        error: (value: unknown) => (value instanceof Error ? serialise(value) : value),
        detail: (value: unknown) => (typeof value === 'string' ? sentence(value) : value),
      },
      redact: {
        paths: CREDENTIALS.flatMap((name) => ['', '*.', '*.*.'].map((depth) => pathOf(depth, name))),
        censor: '(not shown)',
      },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  )
}

const pathOf = (depth: string, name: string): string =>
  /^\w+$/.test(name) ? depth + name : `${depth.replace(/\.$/, '')}["${name}"]`

/**
 * Kind, code, message, stack and causes. Other fields of errors stay out: libraries hang requests, sockets and the
 * configuration of connections on them.
 */
const serialise = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  const code = error instanceof ConnectorError ? error.code : 'code' in error ? error.code : undefined
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: error.message,
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: serialise(error.cause) } : {}),
  }
}
