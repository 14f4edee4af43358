/**
 * Loaded into the connector before it starts (`node --import`). Kills it at a step of the flow, by wrapping methods of the
 * built product from outside.
 *
 * FAULT_STEP: `<step>-before`, `<step>-during` or `<step>-after`; for the steps see STEPS.
 * FAULT_AT: the number of the passage at which the process is killed, counted from 1.
 */
import { ServerResponse } from 'node:http'

const [, step, side] = /^(.+)-(before|during|after)$/.exec(process.env.FAULT_STEP ?? '') ?? []
let passagesLeft = Number(process.env.FAULT_AT ?? '1')

function pass(passedSide) {
  if (passedSide !== side) return
  passagesLeft -= 1
  if (passagesLeft > 0) return
  const kill = () => process.kill(process.pid, 'SIGKILL')
  // What was just begun gets a moment to leave this process.
  if (side === 'during') setTimeout(kill, Math.random() * 4)
  else kill()
}

function wrapped(method) {
  return function (...args) {
    pass('before')
    const result = method.apply(this, args)
    pass('during')
    if (typeof result?.then !== 'function') {
      pass('after')
      return result
    }
    return result.then((value) => {
      pass('after')
      return value
    })
  }
}

function wrap(target, name) {
  if (typeof target[name] !== 'function') throw new Error(`there is no method ${name} at which a fault can be injected`)
  target[name] = wrapped(target[name])
}

const importBuilt = (path) => import(new URL(`../../../dist/${path}`, import.meta.url).href)

async function wrapMethod(path, className, name) {
  const { [className]: found } = await importBuilt(path)
  wrap(found.prototype, name)
}

async function wrapPublishers(name) {
  await wrapMethod('kafka/exactly-once-publisher.js', 'ExactlyOncePublisher', name)
  await wrapMethod('kafka/at-least-once-publisher.js', 'AtLeastOncePublisher', name)
}

const wrapProducer = (name) => wrapMethod('kafka/transactional-producer.js', 'TransactionalProducer', name)

const STEPS = {
  /** A callback or a page, or what a replay or an import hands in, is appended to the journal; after that it is durable. */
  custody: async () => {
    await wrapMethod('journal/lmdb-journal.js', 'LmdbJournal', 'append')
    await wrapMethod('journal/lmdb-journal.js', 'LmdbJournal', 'appendAll')
  },
  /** A callback is answered. */
  answer: () => wrap(ServerResponse.prototype, 'end'),
  /** A page is requested; after that its answer has arrived. */
  ask: () => wrapMethod('http-client/connection.js', 'Connection', 'send'),
  /** A new producer is opened, fences older ones, and the position is read. */
  open: () => wrapPublishers('open'),
  recover: () => wrapMethod('journal/lmdb-journal.js', 'LmdbJournal', 'recover'),
  /** A producer gets its id and epoch, or begins a transaction with them. */
  begin: async () => {
    await wrapProducer('initialise')
    await wrapProducer('begin')
  },
  position: () => wrapProducer('storePosition'),
  /** Batches are sent, in a transaction or without one. */
  send: () => wrapMethod('kafka/record-sender.js', 'RecordSender', 'send'),
  commit: () => wrapProducer('commit'),
  publish: () => wrapPublishers('publish'),
  release: () => wrapMethod('journal/lmdb-journal.js', 'LmdbJournal', 'release'),
}

if (step !== undefined) await STEPS[step]()
