import type { AddressInfo, Server } from 'node:net'
import { ConnectorError, messageOf } from '../core/errors.js'

const CAUSES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use, maybe by another connector',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not open it; choose a port above 1023',
  ENOTFOUND: 'the host name is not known',
}

/**
 * Opens a port and resolves with its address once the server accepts connections.
 * @param section the section of the configuration that holds `host` and `port`; the error names it
 * @throws ConnectorError CONFIG_INVALID, with the port, the cause and the key to change
 */
export const listen = (server: Server, host: string, port: number, section: string): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const why = CAUSES[error.code ?? ''] ?? messageOf(error)
      const key = error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND' ? 'host' : 'port'
      const message = `${section}.${key}: can't listen on ${host}:${port}: ${why}`
      reject(new ConnectorError('CONFIG_INVALID', message, { cause: error }))
    }
    server.once('error', onError)
    server.listen({ host, port }, () => {
      server.off('error', onError)
      resolve(server.address() as AddressInfo)
    })
  })
