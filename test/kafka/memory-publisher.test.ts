import { publisherContract } from './publisher-contract.js'
import { MemoryBroker, MemoryPublisher } from '../support/memory-publisher.js'

publisherContract('the memory publisher', () => {
  const broker = new MemoryBroker()
  return Promise.resolve({
    topics: { dlr: 'dlr', mo: 'mo', deadLetter: 'dead-letter' },
    publisher: () => new MemoryPublisher(broker),
    committed: (topic) => Promise.resolve(broker.records.filter((record) => record.topic === topic)),
    close: () => Promise.resolve(),
  })
})
