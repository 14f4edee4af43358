/** A real process that may open few files, and more sockets than that. */
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest'
import { fromCheckout, type Program } from '../../dev/connector/program.js'
import { startTrial, type Trial } from '../../dev/trial.js'
import { call } from '../support/call.js'
import { RawConnection } from '../support/raw-http.js'

const OPEN_FILES = 256

/** The connector in a shell that lowers the limit of open files before. */
const withFewFiles: Program = {
  ...fromCheckout,
  launch: (folder) => {
    const [command, args] = fromCheckout.launch(folder)
    return ['sh', ['-c', `ulimit -n ${OPEN_FILES}; exec "$@"`, 'sh', command, ...args]]
  },
}

let trial: Trial
const connections: RawConnection[] = []

beforeAll(async () => {
  const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
  trial = await startTrial(stack, undefined, { program: withFewFiles })
  await trial.connector.start()
})
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close()
})
afterAll(() => trial?.stop())

const portOf = (url: string): number => Number(new URL(url).port)

/** Opens connections from many addresses that send a part of a request. */
async function flood(port: number, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const connection = await RawConnection.open(port, `127.0.1.${1 + (at % 200)}`)
    connections.push(connection)
    connection.send('POST /callbacks/x HTTP/1.1\r\n')
  }
}

it('A connector that may open few files says so, and answers callbacks and probes beside more sockets than that', async () => {
  const { connector } = trial
  const limited = (await connector.log()).filter(({ event }) => event === 'connections-limited')
  expect(limited).toMatchObject([{ openFiles: OPEN_FILES, maxConnections: OPEN_FILES / 2 }])
  await flood(portOf(trial.callbackUrl), 2 * OPEN_FILES)
  await flood(portOf(connector.adminUrl), OPEN_FILES)
  expect((await call(`${connector.adminUrl}/readyz`)).status).toBe(200)
  expect((await call(`${connector.adminUrl}/livez`)).status).toBe(200)
  expect((await call(`${trial.callbackUrl}?msg_id=1&status=DELIVERED`)).status).toBe(200)
  expect(await connector.metric('dlrmo_callback_max_connections')).toBe(OPEN_FILES / 2)
  expect(await connector.metric('dlrmo_callback_connections')).toBeLessThanOrEqual(OPEN_FILES / 2)
  expect(await connector.sum('dlrmo_callbacks_refused_total')).toBeGreaterThan(OPEN_FILES)
})
