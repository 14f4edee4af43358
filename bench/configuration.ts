import { stringify } from 'yaml'
import type { Stack } from '../dev/stack/index.js'

export interface BenchPorts {
  readonly callbacks: number
  readonly admin: number
  readonly mtarget: string
}

/**
 * @param name of the instance and of its topics, so that no run meets another's records
 * @param directory of the journal; a relative one is relative to the connector's working directory
 */
export const configurationText = (stack: Stack, name: string, directory: string, ports?: BenchPorts): string =>
  stringify({
    instance: name,
    kafka: {
      brokers: stack.brokers,
      topics: { dlr: `${name}.dlr`, mo: `${name}.mo`, deadLetter: `${name}.dead-letter` },
      createTopics: { partitions: 6 },
    },
    registry: { url: stack.registryUrl },
    journal: { directory },
    callbacks: { host: '127.0.0.1', port: ports?.callbacks ?? 8080 },
    admin: { port: ports?.admin ?? 9464 },
    sources: {
      'mtarget-fr': {
        provider: 'mtarget',
        pull: {
          url: ports?.mtarget ?? 'http://127.0.0.1:1/',
          username: 'demo',
          password: 'secret',
          idleDelay: '100ms',
        },
      },
      'seven-main': { provider: 'seven', callback: { token: 'bench' } },
    },
  })
