/** The record schemas, registered for the peers, which write the same records. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Stack } from '../dev/stack/index.js'

export interface RegisteredSchema {
  readonly file: string
  readonly id: number
}

export interface EventSchemas {
  readonly dlr: RegisteredSchema
  readonly mo: RegisteredSchema
}

export const registerSchemas = async (stack: Stack): Promise<EventSchemas> => ({
  dlr: await register(stack, 'delivery-receipt'),
  mo: await register(stack, 'inbound-message'),
})

async function register({ registryUrl }: Stack, name: string): Promise<RegisteredSchema> {
  const file = fileURLToPath(new URL(`../schemas/${name}.avsc`, import.meta.url))
  const url = `${registryUrl}/subjects/bench-${name}-value/versions`
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: await readFile(file, 'utf8') }),
  })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`)
  const { id } = (await answer.json()) as { id: number }
  return { file, id }
}
