/** Generates the entity of Backstage's catalogue for the topics, `docs/contracts/catalog-info.yaml`. */

export const generateBackstageEntity = (): object => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'API',
  metadata: {
    name: 'dlr-mo-connector-records',
    title: 'Records of dlr-mo-connector',
    description: 'SMS delivery receipts and mobile-originated messages as Avro records on Kafka.',
    tags: ['kafka', 'avro', 'sms'],
  },
  spec: {
    type: 'asyncapi',
    lifecycle: 'production',
    // A placeholder: whoever runs the connector names the own team.
    owner: 'owner-of-the-connector',
    // Backstage replaces this by the text of the file when it reads the entity.
    definition: { $text: './asyncapi.yaml' },
  },
})
