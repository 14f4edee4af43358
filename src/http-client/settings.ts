/** Settings of HTTP clients, without any code: the types of the configuration refer to them. */

/** TLS of a client. Certificates and keys are PEM text. */
export interface ClientTls {
  /** The authorities that certify the server. If left out, those that Node.js trusts. */
  readonly ca?: string
  /** The client certificate with its chain, and its key. */
  readonly cert?: string
  readonly key?: string
  /** The name to ask for, and to find in the certificate, instead of the host that is connected to. */
  readonly serverName?: string
}

/** An HTTP proxy, and what it demands of its clients. */
export interface ProxyServer {
  /** An http or https address of which scheme, host and port count. It contains no credentials. */
  readonly url: string
  readonly username?: string
  readonly password?: string
  /** TLS to a proxy with an https address. */
  readonly tls?: ClientTls
  /** What names the proxy: a key of the configuration, or an environment variable. */
  readonly origin: string
}

export interface ProxySettings {
  /** The proxy for http addresses. */
  readonly http?: ProxyServer
  /** The proxy for https addresses. */
  readonly https?: ProxyServer
  /** What is connected to directly: hosts, domains, addresses, ranges, or `*`. */
  readonly noProxy: readonly string[]
}
