/** The keys of an OAuth 2.0 client, for Kafka and for the schema registry. */
import { clientTls } from './tls.js'
import { httpUrl, text } from './values.js'

/** @param condition when the keys are used, as the beginning of their descriptions */
export const clientCredentials = (condition: string) => ({
  tokenEndpoint: httpUrl().exactOptional().describe(`${condition}: the http or https address of the token endpoint.`),
  clientId: text().exactOptional().describe(`${condition}: the client id.`),
  clientSecret: text().exactOptional().describe(`${condition}: the client secret.`),
  scope: text().exactOptional().describe(`${condition}, optional: the scopes to request, separated by spaces.`),
  tokenEndpointTls: clientTls('the token endpoint', '`tokenEndpoint`')
    .exactOptional()
    .describe(`${condition}, optional: private authorities and a client certificate for the token endpoint.`),
})

interface GivenCredentials<Tls> {
  readonly tokenEndpoint?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly scope?: string
  readonly tokenEndpointTls?: Tls
}

/** Returns checked credentials, of which a rule has made sure that they are complete. */
export const toClientCredentials = <Tls>({
  tokenEndpoint = '',
  clientId = '',
  clientSecret = '',
  scope,
  tokenEndpointTls,
}: GivenCredentials<Tls>) => ({
  tokenEndpoint,
  clientId,
  clientSecret,
  ...(scope !== undefined && { scope }),
  ...(tokenEndpointTls !== undefined && { tokenEndpointTls }),
})
