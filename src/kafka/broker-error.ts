/** The errors that brokers answer to the requests of the producers. */
import { meaningOf, type Reaction } from './protocol/error-codes.js'
import { quote } from '../masking/known-secrets.js'

/** What a request was about, so that an error can name it. */
export interface RequestSubject {
  readonly topic?: string
  readonly partition?: number
  readonly group?: string
  readonly transactionalId?: string
}

export interface BrokerFailure extends RequestSubject {
  readonly errorCode: number
  /** The broker's own explanation, if it gives one. */
  readonly errorMessage?: string | null
}

/** The operation on a topic that a request needs in Kafka's access control lists. */
const TOPIC_OPERATIONS: Readonly<Record<string, string>> = {
  Produce: 'Write',
  AddPartitionsToTxn: 'Write',
  TxnOffsetCommit: 'Read',
  OffsetFetch: 'Describe',
}

/** A broker answered a request with an error. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly apiName: string
  readonly code: number
  /** The name of the code in Kafka, such as `MESSAGE_TOO_LARGE`. */
  readonly type: string
  readonly reaction: Reaction
  readonly subject: RequestSubject

  constructor(apiName: string, { errorCode, errorMessage, ...subject }: BrokerFailure) {
    const { name, reaction, meaning, remedy } = meaningOf(errorCode)
    const where =
      subject.topic === undefined
        ? ''
        : subject.partition === undefined
          ? ` for topic ${subject.topic}`
          : ` for partition ${subject.partition} of topic ${subject.topic}`
    const groups = groupsInWords(subject.group)
    const facts = { ...subject, groups, operation: TOPIC_OPERATIONS[apiName] ?? 'Write' }
    const explanation = errorMessage ? `; the broker explains: ${quote(errorMessage)}` : ''
    const advice = remedy === undefined ? '' : `; ${fill(remedy, facts)}`
    super(`Kafka answered ${apiName}${where} with ${name}: ${fill(meaning, facts)}${advice}${explanation}`)
    this.apiName = apiName
    this.code = errorCode
    this.type = name
    this.reaction = reaction
    this.subject = subject
  }
}

/** A group of a position (exactly-once-publisher.ts). A new journal has another one. */
const POSITION_GROUP = /^(dlr-mo-connector\..+\.)[0-9a-f]{18}$/

/** The groups on which a right is to be granted, so that it holds for the next journal of this instance as well. */
const groupsInWords = (group = ''): string => {
  const prefix = POSITION_GROUP.exec(group)?.[1]
  return prefix === undefined ? `group ${group}` : `all groups that begin with ${prefix}`
}

/** Replaces `{name}` by the fact of that name. */
const fill = (text: string, facts: Readonly<Record<string, string | number | undefined>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? ''))
