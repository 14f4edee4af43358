import { contentKey, Ledger } from './ledger.js'
import type { TopicRecord, Topics } from '../oracle/topic-reader.js'
import { markIn } from './traffic.js'
import type { Traffic } from './traffic.js'

/** Compares what came out with what was handed out, item by item. */
export function audit(traffic: Traffic, seen: readonly TopicRecord[], topics: Topics): Ledger {
  const ledger = new Ledger()
  traffic.enter(ledger)
  for (const record of seen) {
    const source = String(record.value['source'])
    if (record.topic === topics.deadLetter) {
      const request = Object.values(record.value['request'] as Record<string, string>)
      const body = Buffer.from(record.value['body'] as Uint8Array).toString('utf8')
      ledger.deadLettered(
        source,
        markIn(body, ...request) ?? `${String(record.value['reason'])}: ${body.slice(0, 200)}`,
      )
      continue
    }
    const raw = record.value['raw'] as Record<string, string>
    const isMessage = record.topic === topics.mo
    ledger.published(source, isMessage ? 'messages' : 'receipts', contentKey(raw))
    const complaint = isMessage ? wrongMessage(record, raw) : wrongReceipt(record, raw)
    if (complaint !== undefined) ledger.strange.push(`${complaint}: ${contentKey(raw)}`)
  }
  return ledger
}

function wrongMessage(record: TopicRecord, raw: Record<string, string>): string | undefined {
  const text = raw['Content'] ?? raw['text'] ?? raw['data[text]']
  if (record.value['text'] !== text) return 'another text than was sent'
  return record.key === record.value['sender'] ? undefined : 'a key that is not the sender'
}

function wrongReceipt(record: TopicRecord, raw: Record<string, string>): string | undefined {
  const id = raw['MsgId'] ?? raw['msg_id'] ?? raw['data[msg_id]']
  if (record.value['messageId'] !== id || record.key !== id) return 'another message id than was sent'
  return record.value['providerStatus'] === (raw['Status'] ?? raw['status'] ?? raw['data[status]'])
    ? undefined
    : 'another status than was sent'
}
