/** Kafka server properties in which a broker for demo and tests differs from a production broker. */
export const TEST_BROKER_PROPERTIES: Readonly<Record<string, string>> = {
  // There is one node, and so no replica to wait for.
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  // By default there are 50 each, whose creation takes seconds of the first transaction.
  'offsets.topic.num.partitions': '3',
  'transaction.state.log.num.partitions': '3',
  // A consumer group does not wait for more members.
  'group.initial.rebalance.delay.ms': '0',
  // A missing topic must be noticed.
  'auto.create.topics.enable': 'false',
  // For so long the registration of a killed broker prevents its restart. The default is 9 s.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
}
