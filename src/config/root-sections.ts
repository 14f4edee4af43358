/** The sections at the root of the configuration that are about this process: journal, callbacks, admin, sharing, log, duplicates. */
import { PERSONAL_DATA } from '../masking/personal-data.js'
import { encryption } from './encryption-key.js'
import { topic } from './kafka.js'
import { section } from './section.js'
import { serverTls } from './tls.js'
import {
  MAX_AGE,
  boolean,
  duration,
  oneOf,
  oneOrTwo,
  size,
  text,
  textKind,
  textMatching,
  wholeNumber,
} from './values.js'

/** These characters are safe in a transactional id, a consumer group and a client id. */
export const INSTANCE_PATTERN = '^[A-Za-z0-9._-]{1,200}$'
export const INSTANCE_EXPECTED = 'a name of 1 to 200 letters, digits, ".", "_" and "-"'

export const instance = () => textMatching(INSTANCE_PATTERN, INSTANCE_EXPECTED)

const host = () => textMatching('^[A-Za-z0-9._:%-]+$', 'a host name or an IP address')
const port = (defaultPort: number) => wholeNumber({ min: 0, max: 65535, default: defaultPort })

export const journal = () =>
  section({
    directory: text('a path')
      .prefault('data/journal')
      .describe('Directory of the journal, on a local disk. A relative path is relative to the working directory.'),
    maxBytes: size({ min: '4KiB', default: '1GiB' }).describe(
      'Largest size of the journal. While it is full, callbacks get 503 and pulling stops until events are published.',
    ),
    maxWatchedMessages: wholeNumber({ min: 1, default: 500_000 }).describe(
      'Largest number of messages on the watch list of reconciliation, about 200 bytes of disk each beside `maxBytes`. Further ones are not watched, and requests to watch them get 429.',
    ),
    encryption: encryption()
      .exactOptional()
      .describe(
        'Encrypts the entries of the journal with AES-256-GCM. If left out, the journal holds phone numbers and texts in the clear.',
      ),
  })

export const callbacks = () =>
  section({
    host: host().prefault('0.0.0.0').describe('Address that the callbacks server listens on.'),
    port: port(8080).describe('Port that the callbacks server listens on; 0 chooses any free port.'),
    bodyLimit: size({ min: '1B', max: '1GiB', default: '1MiB' }).describe(
      'Largest body of a callback. A larger one is answered with 413.',
    ),
    maxConnections: wholeNumber({ min: 16, max: 1_000_000, default: 10_000 }).describe(
      'Largest number of connections to the callbacks port. Beyond it, connections on which nothing was proved are closed. It is lowered to what the limit of open files of the process allows.',
    ),
    maxRefusedPerMinute: wholeNumber({ min: 1, default: 1_000 }).describe(
      'Largest number of requests of one address that are answered 401, 404 or 405 within a minute. Further ones that prove nothing are answered 429.',
    ),
    trustProxy: boolean()
      .prefault(false)
      .describe(
        "Whether the last address in X-Forwarded-For is taken as the caller's. Set it to true only if every caller comes through a proxy that sets this header.",
      ),
    drainDelay: duration({ min: '0s', default: '0s' }).describe(
      'How long callbacks are still accepted after SIGTERM while /readyz already answers 503, so that load balancers notice.',
    ),
    tls: serverTls()
      .exactOptional()
      .describe('Serves HTTPS. If left out, the server speaks plain HTTP, for instance behind a proxy.'),
  })

export const admin = () =>
  section({
    host: host().prefault('127.0.0.1').describe('Address that the admin server listens on.'),
    port: port(9464).describe('Port that the admin server listens on; 0 chooses any free port.'),
    token: oneOrTwo(textKind())
      .exactOptional()
      .describe(
        'Bearer token that the admin server requires. A list of two makes either valid while it is rotated. If left out, it requires none.',
      ),
  })

export const sharing = () =>
  section({
    group: text('a group name').prefault('dlr-mo-connector').describe('Consumer group that the replicas form.'),
    topic: topic()
      .prefault('dlr-mo-connector.sources')
      .describe(
        'Small topic whose partitions stand for the sources: the replica that is assigned a partition owns its sources.',
      ),
    sessionTimeout: duration({ min: '1s', max: '30m', default: '30s' }).describe(
      'Silence after which a replica is considered gone and its sources move to others. Brokers allow 6s to 30m by default.',
    ),
  })

export const log = () =>
  section({
    level: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent')
      .prefault('info')
      .describe('Lowest level that is logged.'),
    personalData: oneOf(...PERSONAL_DATA)
      .prefault('masked')
      .describe('Whether phone numbers and texts are masked in the log. Credentials are never logged.'),
  })

export const duplicates = () =>
  section({
    remember: duration({ min: '1ms', max: MAX_AGE, default: '31d' }).describe(
      'How long an event id is remembered after its arrival, so that the same item is not published a second time.',
    ),
    maxIds: wholeNumber({ min: 1, default: 4_000_000 }).describe(
      'Largest number of event ids that are remembered, about 200 bytes of disk each. Beyond it the oldest are forgotten.',
    ),
  })
