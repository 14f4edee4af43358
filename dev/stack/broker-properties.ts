/** What a broker for trying and testing has otherwise than a production one: Kafka server properties. */
export const TEST_BROKER_PROPERTIES: Readonly<Record<string, string>> = {
  // One node: no replica to wait for.
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  // 50 each by default, made when first needed: that is seconds of the first transaction.
  'offsets.topic.num.partitions': '3',
  'transaction.state.log.num.partitions': '3',
  // A consumer need not wait for company.
  'group.initial.rebalance.delay.ms': '0',
  // A topic that was forgotten must show as missing.
  'auto.create.topics.enable': 'false',
  // How long a killed broker's registration keeps the restarted one out; 9 s by default.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
}
