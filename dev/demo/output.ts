import type { Verdict } from '../oracle/oracle.js'
import { kindOfTopic, type TopicKind, type TopicRecord, type Topics } from '../oracle/topic-reader.js'
import { formatTable } from '../table.js'

const KIND_NAMES: Readonly<Record<TopicKind, string>> = { dlr: 'receipts', mo: 'messages', deadLetter: 'bad input' }

/** A record as a line: `sms.dlr  mtarget-fr  +336****21  DELIVERED (final, by PULL)`. Phone numbers are masked. */
export function formatRecord({ topic, value }: TopicRecord, topics: Topics): string {
  const topicWidth = Math.max(...[topics.dlr, topics.mo, topics.deadLetter].map((name) => name.length))
  const head = `  ${topic.padEnd(topicWidth)}  ${toText(value['source']).padEnd(10)}`
  switch (kindOfTopic(topics, topic)) {
    case 'dlr': {
      const finality = value['final'] === true ? 'final' : 'not final'
      const messageId = shorten(toText(value['messageId']), 18).padEnd(18)
      const status = `${toText(value['status'])} (${finality}, by ${toText(value['via'])})`
      return `${head}  ${messageId}  ${maskNumber(value['recipient'])}  ${status}`
    }
    case 'mo':
      return `${head}  from ${maskNumber(value['sender'])}: ${JSON.stringify(shorten(toText(value['text']), 60))}`
    case 'deadLetter':
    case undefined:
      return `${head}  ${toText(value['reason'])}: ${shorten(toText(value['detail']), 80)}`
  }
}

export function formatVerdict({ bySource, total }: Verdict): string {
  const head = ['', '', 'handed out', 'owed', 'published', 'dead-lettered', 'lost', 'doubled']
  const rows = [
    ...bySource.map((tally) => [tally.source, KIND_NAMES[tally.kind], tally] as const),
    ['total', '', total] as const,
  ]
  return formatTable(
    head,
    rows.map(([source, kind, { handedOut, owed, published, deadLettered, lost, doubled }]) => {
      return [source, kind, handedOut, owed, published, deadLettered, lost, doubled]
    }),
  )
}

function maskNumber(value: unknown): string {
  const number = toText(value)
  return number.length < 8 ? number : `${number.slice(0, 4)}****${number.slice(-2)}`
}

function shorten(value: string, length: number): string {
  const characters = [...value]
  return characters.length <= length ? value : `${characters.slice(0, length - 1).join('')}…`
}

function toText(value: unknown): string {
  if (value == null) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
