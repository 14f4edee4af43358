/** What belongs to this process: its journal, its two listeners, its log, and how it shares work with others. */
import { choice, duration, flag, pattern, size, text, wholeNumber, LONGEST_AGE } from './field.js'
import { section } from './section.js'
import { serverTls } from './tls.js'
import { topic } from './kafka.js'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** Safe as part of a transactional id, a consumer group and a client id. */
export const INSTANCE = '^[A-Za-z0-9._-]{1,200}$'
export const INSTANCE_EXPECTED = 'a name of 1 to 200 letters, digits, ".", "_" and "-"'

export const instance = () => pattern(INSTANCE_EXPECTED, INSTANCE)

const host = () => pattern('a host name or an IP address', '^[A-Za-z0-9._:%-]+$')
const port = () => wholeNumber(0, 65535)

export const journal = () =>
  section({
    directory: text('a path')
      .prefault('data/journal')
      .describe('Directory of the journal, on a local disk. A relative path is relative to the working directory.'),
    maxBytes: size('4KiB')
      .prefault('1GiB')
      .describe(
        'Most bytes that the journal holds. When it is full, callbacks get 503 and pulling stops until events are published.',
      ),
  })

export const callbacks = () =>
  section({
    host: host().prefault('0.0.0.0').describe('Address to listen on for callbacks.'),
    port: port().prefault(8080).describe('Port to listen on for callbacks; 0 takes any free one.'),
    bodyLimit: size('1B', '1GiB')
      .prefault('1MiB')
      .describe('Largest body of a callback, in bytes; above it the answer is 413.'),
    trustProxy: flag()
      .prefault(false)
      .describe(
        "Whether the last address in X-Forwarded-For is believed to be the caller's. True only where every caller comes through a proxy that sets it.",
      ),
    drainDelay: duration('0s')
      .prefault('0s')
      .describe(
        'After SIGTERM: how long callbacks are still taken while /readyz already answers 503, so that load balancers notice.',
      ),
    tls: serverTls().exactOptional().describe('Serve HTTPS. Left out: plain HTTP, for instance behind a proxy.'),
  })

export const admin = () =>
  section({
    host: host().prefault('127.0.0.1').describe('Address to listen on for health, metrics and the status page.'),
    port: port().prefault(9464).describe('Port of health, metrics and the status page; 0 takes any free one.'),
    token: text().exactOptional().describe('Bearer token that the admin port asks for. Left out: none.'),
  })

export const sharing = () =>
  section({
    group: text('a group name')
      .prefault('dlr-mo-connector')
      .describe('Consumer group through which replicas find each other.'),
    topic: topic()
      .prefault('dlr-mo-connector.sources')
      .describe(
        'Small topic whose partitions stand for the sources; whoever is assigned a partition owns its sources.',
      ),
    sessionTimeout: duration('1s', 1_800_000)
      .prefault('30s')
      .describe(
        'After this silence a replica counts as gone and its sources move. Brokers allow 6s to 30m unless set otherwise.',
      ),
  })

export const log = () =>
  section({
    level: choice(...LOG_LEVELS)
      .prefault('info')
      .describe('Least level that is logged.'),
    personalData: choice('masked', 'plain')
      .prefault('masked')
      .describe('Whether phone numbers and texts are masked in the log. Credentials never appear in it.'),
  })

export const duplicates = () =>
  section({
    remember: duration('1ms', LONGEST_AGE)
      .prefault('31d')
      .describe(
        'How long, counted from its arrival, an event id is remembered, so that a second arrival is not published again.',
      ),
    maxIds: wholeNumber(1)
      .prefault(4_000_000)
      .describe(
        'Most event ids that are remembered, about 100 bytes each in the journal; beyond it the oldest are forgotten.',
      ),
  })
