import type { MtargetSimulator } from '../simulators/mtarget.js'
import type { Stack } from '../stack/index.js'
import { type ConnectorAddresses, PROCESS_NUMBER } from '../connector/connector-process.js'
import type { Topics } from '../oracle/topic-reader.js'
import { MTARGET, SEVEN } from './traffic.js'

export const CALLBACK_TOKEN = 'demo-token'

/**
 * The default topics on a broker of our own. On somebody's broker topics of this run's own: theirs may hold real events.
 */
export function topicsFor(stack: Stack): Topics {
  const prefix = stack.origin === 'environment' ? `dlrmo-demo-${Date.now()}` : 'sms'
  return { dlr: `${prefix}.dlr`, mo: `${prefix}.mo`, deadLetter: `${prefix}.dead-letter` }
}

/** The connector's configuration; all that isn't said is its default. */
export function configurationFor(
  stack: Stack,
  topics: Topics,
  addresses: ConnectorAddresses,
  mtarget: MtargetSimulator,
): Record<string, unknown> {
  return {
    instance: `demo-${process.pid}`,
    kafka: { brokers: stack.brokers, topics, createTopics: { partitions: 6, replicationFactor: 1 } },
    registry: { url: stack.registryUrl },
    journal: { directory: 'journal' },
    callbacks: { host: '127.0.0.1', port: addresses.callbacksPort },
    admin: { host: '127.0.0.1', port: addresses.adminPort },
    sources: {
      [MTARGET]: {
        provider: 'mtarget',
        pull: {
          url: `${mtarget.url}?process=${PROCESS_NUMBER}`,
          username: mtarget.username,
          password: mtarget.password,
          // The real one is asked again after minutes; nobody wants to watch that.
          idleDelay: '500ms',
        },
      },
      [SEVEN]: { provider: 'seven', callback: { token: CALLBACK_TOKEN } },
    },
  }
}

export function callbackUrl(addresses: ConnectorAddresses): string {
  return `http://127.0.0.1:${addresses.callbacksPort}/callbacks/${SEVEN}/${CALLBACK_TOKEN}`
}
