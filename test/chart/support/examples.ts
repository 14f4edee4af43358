import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../../examples/kubernetes/', import.meta.url))

/** Folders of `examples/kubernetes` with values for the chart. */
export const EXAMPLES = ['strimzi', 'confluent-cloud', 'redpanda'] as const

export const exampleValues = (name: string): string => `${FOLDER}${name}/values.yaml`

export const readExample = (path: string): Promise<string> => readFile(`${FOLDER}${path}`, 'utf8')
