import type { Row } from './ledger.js'
import type { TopicRecord, Topics } from '../oracle/topic-reader.js'

/** One record as a line: `sms.dlr  mtarget-demo  +336…21  DELIVERED (final, by PULL)`. Numbers are masked. */
export function eventLine(seen: TopicRecord, topics: Topics): string {
  const { value } = seen
  const head = `  ${seen.topic.padEnd(Math.max(...Object.values(topics).map((topic: string) => topic.length)))}  ${text(value['source']).padEnd(12)}`
  switch (seen.topic) {
    case topics.dlr: {
      const words = value['final'] === true ? 'final' : 'not final'
      return `${head}  ${clip(text(value['messageId']), 18).padEnd(18)}  ${masked(value['recipient'])}  ${text(value['status'])} (${words}, by ${text(value['via'])})`
    }
    case topics.mo:
      return `${head}  from ${masked(value['sender'])}: ${JSON.stringify(clip(text(value['text']), 60))}`
    default:
      return `${head}  ${text(value['reason'])}: ${clip(text(value['detail']), 80)}`
  }
}

/** The books as a table; the last row is the sum. */
export function table(rows: readonly Row[]): string {
  const head = ['', '', 'handed out', 'owed', 'published', 'dead-lettered', 'lost', 'doubled']
  const body = rows.map((row) => [
    row.source,
    row.source === 'total' ? '' : row.kind,
    ...[row.handedOut, row.owed, row.published, row.deadLettered, row.lost, row.doubled].map(number),
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((cells) => cells[column]?.length ?? 0)))
  const line = (cells: string[]): string =>
    cells
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  const rule = '-'.repeat(line(head).length)
  return [line(head), rule, ...body.slice(0, -1).map(line), rule, ...body.slice(-1).map(line)].join('\n')
}

export function number(value: number): string {
  return value.toLocaleString('en-US')
}

function masked(value: unknown): string {
  const whole = text(value)
  return whole.length < 8 ? whole : `${whole.slice(0, 4)}****${whole.slice(-2)}`
}

function clip(value: string, length: number): string {
  const characters = [...value]
  return characters.length <= length ? value : `${characters.slice(0, length - 1).join('')}…`
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : value == null ? '-' : JSON.stringify(value)
}
