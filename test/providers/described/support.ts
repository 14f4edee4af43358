import { parseDescription } from '../../../src/providers/described/load.js'
import { describedProvider } from '../../../src/providers/described/provider.js'
import type { Item } from '../../../src/providers/provider.js'
import { formatProblem } from '../../../src/yaml/problem.js'

/** A description whose only item is `item`. */
export const descriptionOf = (...items: string[]): string =>
  [
    'provider: example',
    'title: Example',
    'documents: [https://provider.example/docs]',
    'items:',
    ...items.map((item) => `  - ${item.trim().split('\n').join('\n    ')}`),
  ].join('\n')

/** The problems of a description, each in one line. */
export const problemsOf = (text: string): string[] =>
  (parseDescription(text).problems ?? []).map((problem) => formatProblem('example.yaml', problem))

export interface Request {
  readonly body?: string
  readonly query?: string
  readonly contentType?: string
}

/** Decodes a request by a description. */
export const decode = (text: string, { body = '', query = '', contentType }: Request): Item[] => {
  const { description, problems } = parseDescription(text)
  if (description === undefined) throw new Error(JSON.stringify(problems))
  const facts = {
    method: 'POST',
    path: '/callbacks/x',
    query,
    ...(contentType !== undefined && { 'content-type': contentType }),
  }
  const received = { via: 'CALLBACK' as const, receivedAt: 0, facts, body: Buffer.from(body) }
  return [...describedProvider(description).decode(received, { textFields: [], ignoreEvents: [] })]
}

export const RECEIPT = `
kind: receipt
messageId: id
status: { field: state, values: { sent: ENROUTE, ok: DELIVERED } }
identity: [messageId, status]`

export const MESSAGE = `
kind: message
when: [{ field: text, present: true }]
sender: from
text: text
identity: none`
