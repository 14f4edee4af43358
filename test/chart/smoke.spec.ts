import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { renderOne, scenarioFile } from './support/helm.js'
import type { RenderOptions } from './support/helm.js'

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

/** A server that answers the paths of the map, and 404 to every other path. */
async function serving(codes: Record<string, number>): Promise<string> {
  const server = createServer((request, response) => {
    const known = Object.entries(codes).find(([path]) => request.url?.startsWith(path))
    response.writeHead(known?.[1] ?? 404, { connection: 'close' }).end('as configured')
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Runs the program of the helm test's pod. */
async function runTest(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const { command } = (await renderOne('Pod')).spec.containers[0]
  expect(command[0]).toBe('node')
  const child = spawn(process.execPath, command.slice(1), { env: { ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, output }
}

describe('The helm test', () => {
  it('passes if all replicas take callbacks and an unknown source is refused', async () => {
    const admins = [await serving({ '/readyz': 200 }), await serving({ '/readyz': 200 })]
    const callbacks = await serving({ '/callbacks/': 401 })
    const { code, output } = await runTest({ ADMIN_URLS: admins.join(' '), CALLBACKS_URL: callbacks })
    expect(output.match(/^ok /gm)).toHaveLength(3)
    expect(code).toBe(0)
  })

  it('fails if one replica is not ready, and names the replica', async () => {
    const admins = [await serving({ '/readyz': 200 }), await serving({ '/readyz': 503 })]
    const { code, output } = await runTest({ ADMIN_URLS: admins.join(' '), CALLBACKS_URL: '' })
    expect(output).toMatch(/^FAILED http:\S+\/readyz answers 503 \(as configured\), expected 200$/m)
    expect(code).toBe(1)
  })

  it('fails if another server or none answers on the callbacks port', async () => {
    expect((await runTest({ ADMIN_URLS: '', CALLBACKS_URL: await serving({ '/': 200 }) })).code).toBe(1)
    expect((await runTest({ ADMIN_URLS: '', CALLBACKS_URL: 'http://127.0.0.1:9' })).code).toBe(1)
  })

  it('requests each replica by name, and the callbacks Service unless it serves TLS', async () => {
    const env = async (options?: RenderOptions): Promise<Record<string, string>> => {
      const list = (await renderOne('Pod', options)).spec.containers[0].env
      return Object.fromEntries(list.map(({ name, value }) => [name, value ?? '']))
    }
    expect(await env()).toEqual({
      ADMIN_URLS:
        'http://sms-dlr-mo-connector-0.sms-dlr-mo-connector-headless.messaging.svc:9464 http://sms-dlr-mo-connector-1.sms-dlr-mo-connector-headless.messaging.svc:9464',
      CALLBACKS_URL: 'http://sms-dlr-mo-connector.messaging.svc:80',
    })
    expect((await env({ files: [scenarioFile('callbacks-tls')] }))['CALLBACKS_URL']).toBe('')
  })
})
