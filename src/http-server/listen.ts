/** Opening a port, with an error that says which one, why not, and which key to change. */
import type { AddressInfo, Server } from 'node:net'
import { ConnectorError, messageOf } from '../core/errors.js'

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is in use, maybe by another connector',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not open it; choose a port above 1023',
  ENOTFOUND: 'the host name is not known',
}

/**
 * Resolves with the address once connections are taken.
 * @param section of the configuration that holds `host` and `port`
 * @throws ConnectorError CONFIG_INVALID
 */
export const listen = (server: Server, host: string, port: number, section: string): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      const why = WHY[error.code ?? ''] ?? messageOf(error)
      const key = error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND' ? 'host' : 'port'
      reject(
        new ConnectorError('CONFIG_INVALID', `${section}.${key}: can't listen on ${host}:${port}: ${why}`, {
          cause: error,
        }),
      )
    }
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      resolve(server.address() as AddressInfo)
    })
  })
