/** TLS of the connector's own connections: the options of a socket, and what a failure of TLS says about the configuration. */
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { ClientTls } from './settings.js'

/** Returns the options of `tls.connect` for a server at `host`. */
export const tlsOptionsFor = (host: string, { serverName, ...material }: ClientTls = {}): ConnectionOptions => {
  const name = serverName ?? (isIP(host) === 0 ? host : undefined)
  return {
    ...material,
    ALPNProtocols: ['http/1.1'],
    // The name that TLS sends must not be an address (RFC 6066, section 3); the certificate is still checked against it.
    ...(name === undefined ? { host } : { servername: name }),
  }
}

/** Codes of Node.js for a certificate whose issuer is not trusted. */
const UNTRUSTED =
  /^(UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?|CERT_UNTRUSTED|INVALID_CA)$/
const OTHER_NAME = /^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/
const EXPIRED = /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/
/** What OpenSSL reports of a server that wants another client certificate, or one at all; its text is in lower case. */
const CLIENT_CERTIFICATE_REFUSED =
  /alert[ _](certificate[ _](required|unknown|expired|revoked)|bad[ _]certificate|unknown[ _]ca|access[ _]denied|handshake[ _]failure)/i
/** Some servers close the connection instead of saying that they want a client certificate. */
const CLOSED = /^(UND_ERR_SOCKET|ECONNRESET|ECONNABORTED|EPIPE)$/
const NO_TLS = /wrong[ _]version[ _]number|packet[ _]length[ _]too[ _]long/i

const MAX_CAUSES = 5

/**
 * Returns the key to look at after a failure of TLS, with what to do; undefined for any other failure.
 * @param section the configuration's section of this TLS, such as `registry.tls`
 * @param url the key with the address
 * @param address the address
 */
export const tlsAdvice = (error: unknown, section: string, url: string, address: string): string | undefined => {
  for (const { code, message } of causesOf(error)) {
    if (UNTRUSTED.test(code)) return `add the authority that issued the server's certificate to ${section}.ca`
    if (OTHER_NAME.test(code)) return `the certificate is of another host: check ${url}, or set ${section}.serverName`
    if (EXPIRED.test(code)) return 'renew the certificate of the server, and check the clocks of both machines'
    // Depending on the moment, Node.js has OpenSSL's reason in the code of the error or in its message.
    const reason = `${code} ${message}`
    if (CLIENT_CERTIFICATE_REFUSED.test(reason)) {
      return `the server demands a client certificate that it trusts: check ${section}.cert and ${section}.key`
    }
    if (NO_TLS.test(reason)) return `the server at this port does not speak TLS: check scheme and port of ${url}`
  }
  if (address.startsWith('https:') && causesOf(error).some(({ code }) => CLOSED.test(code))) {
    return `if the server demands a client certificate, check ${section}.cert and ${section}.key; else look at its log`
  }
  return undefined
}

/** Codes and messages of an error and its causes, the outermost first. */
const causesOf = (error: unknown): { readonly code: string; readonly message: string }[] => {
  const causes: { code: string; message: string }[] = []
  let current: unknown = error
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    const code = 'code' in current && typeof current.code === 'string' ? current.code : ''
    causes.push({ code, message: current.message })
    current = current.cause
  }
  return causes
}
