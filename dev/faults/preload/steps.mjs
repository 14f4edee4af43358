/**
 * Loaded into the connector before it starts (`node --import`): kills it at the n-th passage of a named step of the flow.
 *
 * It wraps the methods of the built product from outside, so that the product itself has no switch for it.
 * FAULT_STEP: `<step>-before` or `<step>-after`, see STEPS; FAULT_AT: counted from 1.
 */
import { ServerResponse } from 'node:http'

const [, step, side] = /^(.+)-(before|after|amid)$/.exec(process.env.FAULT_STEP ?? '') ?? []
let left = Number(process.env.FAULT_AT ?? '1')

function passes(passed) {
  if (passed !== side || --left > 0) return
  // Amid: what was just begun gets a moment to leave this process.
  if (side === 'amid') setTimeout(() => process.kill(process.pid, 'SIGKILL'), Math.random() * 4)
  else process.kill(process.pid, 'SIGKILL')
}

function wrapped(method) {
  return function (...args) {
    passes('before')
    const result = method.apply(this, args)
    passes('amid')
    if (typeof result?.then !== 'function') {
      passes('after')
      return result
    }
    return result.then((value) => {
      passes('after')
      return value
    })
  }
}

const wrap = (target, name) => (target[name] = wrapped(target[name]))
const built = (path) => import(new URL(`../../../dist/${path}`, import.meta.url).href)

async function onPrototype(path, type, name) {
  const { [type]: found } = await built(path)
  wrap(found.prototype, name)
}

/** Of both ways to publish. */
async function onPublishers(name) {
  await onPrototype('kafka/exactly-once-publisher.js', 'ExactlyOncePublisher', name)
  await onPrototype('kafka/at-least-once-publisher.js', 'AtLeastOncePublisher', name)
}

/** Of the transactions that kafkajs makes. */
async function onTransactions(name) {
  const { ProducerSession } = await built('kafka/producer-session.js')
  const { connect } = ProducerSession.prototype
  ProducerSession.prototype.connect = async function () {
    await connect.call(this)
    // At least once there are no transactions, and a producer that sends by itself.
    if (name === 'sendBatch') wrap(this.producer, name)
    const begin = this.producer.transaction
    if (name === 'transaction') this.producer.transaction = wrapped(begin)
    else {
      this.producer.transaction = async () => {
        const transaction = await begin()
        wrap(transaction, name)
        return transaction
      }
    }
  }
}

/** Every step has a before and an after; what takes time, an amid. */
const STEPS = {
  /** Of a callback or page into the journal: before the write, and when it is durable. */
  custody: () => onPrototype('journal/lmdb-journal.js', 'LmdbJournal', 'append'),
  /** Of a callback: before the 200 is given to the socket, and behind that. */
  answer: () => wrap(ServerResponse.prototype, 'end'),
  /** For a page: before the request, and when its answer is here. */
  ask: () => onPrototype('http-client/connection.js', 'Connection', 'send'),
  /** A new producer, its fencing, the position read. */
  open: () => onPublishers('open'),
  recover: () => onPrototype('journal/lmdb-journal.js', 'LmdbJournal', 'recover'),
  begin: () => onTransactions('transaction'),
  position: () => onTransactions('sendOffsets'),
  send: () => onTransactions('sendBatch'),
  commit: () => onTransactions('commit'),
  publish: () => onPublishers('publish'),
  release: () => onPrototype('journal/lmdb-journal.js', 'LmdbJournal', 'release'),
}

if (step !== undefined) await STEPS[step]()
