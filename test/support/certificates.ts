/** A private authority and the certificates that it issues, made by OpenSSL for one test. */
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { workDirectory } from '../../dev/work-directory.js'

const run = promisify(execFile)
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export interface Identity {
  readonly cert: string
  readonly key: string
}

export class PrivateAuthority {
  /** The certificate, in PEM. */
  readonly ca: string
  readonly folder: string
  #issued = 0

  private constructor(ca: string, folder: string) {
    this.ca = ca
    this.folder = folder
  }

  static async create(): Promise<PrivateAuthority> {
    const folder = await workDirectory('stack')
    const files = ['-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.pem')]
    await run('openssl', ['req', '-x509', ...NEW_KEY, '-days', '2', '-subj', '/CN=private authority', ...files])
    return new PrivateAuthority(await readFile(join(folder, 'ca.pem'), 'utf8'), folder)
  }

  /** @param names as in a subjectAltName: `IP:::1`, `DNS:localhost`; none for a client */
  async issue(commonName: string, ...names: readonly string[]): Promise<Identity> {
    const file = (end: string): string => join(this.folder, `${this.#issued}.${end}`)
    this.#issued++
    await run('openssl', ['req', ...NEW_KEY, '-subj', `/CN=${commonName}`, '-keyout', file('key'), '-out', file('csr')])
    await writeFile(file('ext'), names.length === 0 ? '' : `subjectAltName=${names.join(',')}\n`)
    const issuer = ['-CA', join(this.folder, 'ca.pem'), '-CAkey', join(this.folder, 'ca.key'), '-CAcreateserial']
    const request = ['-req', '-in', file('csr'), '-days', '2', '-extfile', file('ext'), '-out', file('pem')]
    await run('openssl', ['x509', ...request, ...issuer])
    return { cert: await readFile(file('pem'), 'utf8'), key: await readFile(file('key'), 'utf8') }
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
