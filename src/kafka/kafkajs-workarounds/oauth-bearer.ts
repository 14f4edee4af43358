/**
 * Authentication with SASL OAUTHBEARER (RFC 7628).
 *
 * Defect: kafkajs 2.2.4 does not read the answer to a token. A broker refuses one with an error in JSON and without an error code
 * (RFC 7628, section 3.2.2), so kafkajs takes the refusal for a success, and the next request fails without a reason. Remedy: an
 * authenticator of our own, which reports the broker's error.
 *
 * This file can go when kafkajs reads the answer, or when the client no longer is kafkajs.
 */
import kafkajs, { type AuthenticationProviderArgs, type Mechanism } from 'kafkajs'
import { quote } from '../../masking/known-secrets.js'

const SEPARATOR = '\u0001'
/** The protocol writes bytes behind their length, which kafkajs leaves in front of them. */
const LENGTH_BYTES = 4

/** @param getToken called for each authentication */
export const oauthBearer = (getToken: () => Promise<string>): Mechanism => ({
  mechanism: 'oauthbearer',
  authenticationProvider: ({ saslAuthenticate }: AuthenticationProviderArgs) => ({
    authenticate: async () => {
      const token = await getToken()
      const message = Buffer.from(`n,,${SEPARATOR}auth=Bearer ${token}${SEPARATOR}${SEPARATOR}`)
      const refusal = await saslAuthenticate({
        request: { encode: () => withLength(message) },
        response: { decode: (bytes) => bytes, parse: (bytes: Buffer) => bytes.subarray(LENGTH_BYTES).toString() },
      })
      if (typeof refusal !== 'string' || refusal === '') return
      throw new TokenRefusedError(`the broker refuses the token: ${quote(refusal)}`)
    },
  }),
})

/** An authentication error as kafkajs throws it; the types of that class have no constructor with a message. */
class TokenRefusedError extends kafkajs.KafkaJSNonRetriableError {
  override readonly name = 'KafkaJSSASLAuthenticationError'
}

const withLength = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeInt32BE(bytes.byteLength)
  return Buffer.concat([length, bytes])
}
