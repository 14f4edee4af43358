/**
 * `node --import tsx bench/refusal-timing.ts [samples]`: how long a refusal takes for each kind of source, beside a source that does not
 * exist. Whoever measures refusals must not learn from them which sources exist, or how they are guarded.
 *
 * Every request goes over the same connection, one after the other, in an order that is drawn anew for each round, so that whatever
 * else the machine does meets all kinds alike. The quartiles are compared, since the slowest requests measure the machine.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { CallbackServer, type CallbackServerOptions } from '../src/callbacks/callback-server.js'
import { PROVIDERS } from '../src/config/provider-traits.js'
import { systemClock } from '../src/core/clock.js'
import { silentLog } from './silent-log.js'

const SAMPLES = Number(process.argv[2] ?? 20_000)
const LISTED = Array.from({ length: 20 }, (_, at) => `192.0.2.${at}/32`)
const secrets = { open: false, signatureMaxAge: 60_000 }
const callbacks = {
  token: { ...secrets, token: ['a-token-of-some-length'] },
  basic: { ...secrets, basic: { username: 'user', password: ['a-password-of-some-length'] } },
  signed: {
    ...secrets,
    signature: PROVIDERS.seven.signature,
    signingKey: ['a-key-of-some-length'],
    publicUrl: 'https://sms.example.com',
  },
  'one-address': { ...secrets, allowFrom: ['192.0.2.1/32'] },
  'twenty-addresses': { ...secrets, allowFrom: LISTED },
  'ipv6-network': { ...secrets, allowFrom: ['2001:db8::/32'] },
}
const names = ['unknown', ...Object.keys(callbacks)]

const options: CallbackServerOptions = {
  host: '127.0.0.1',
  port: 0,
  bodyLimit: 1024,
  trustProxy: false,
  maxConnections: 100,
  maxRefusedPerMinute: Number.MAX_SAFE_INTEGER,
  sources: Object.entries(callbacks).map(([name, callback]) => ({ name, provider: 'seven', callback })),
}
const server = new CallbackServer(options, {
  journal: { append: () => Promise.resolve(0) },
  clock: systemClock,
  log: silentLog,
  observer: { answered: () => undefined, custodyTaken: () => undefined },
})
const { port } = await server.listen()
const socket = connect(port, '127.0.0.1')
socket.setNoDelay(true)
await once(socket, 'connect')

/** Resolves with the microseconds from a request to its answer. */
async function time(name: string): Promise<number> {
  const request = `GET /callbacks/${name}/wrong HTTP/1.1\r\nhost: x\r\n\r\n`
  const startedAt = process.hrtime.bigint()
  socket.write(request)
  await once(socket, 'data')
  return Number(process.hrtime.bigint() - startedAt) / 1_000
}

const timesByName = new Map(names.map((name) => [name, [] as number[]]))
const WARM_UP_ROUNDS = 2_000
for (let round = 0; round < WARM_UP_ROUNDS + SAMPLES; round++) {
  for (const name of [...names].sort(() => Math.random() - 0.5)) {
    const microseconds = await time(name)
    if (round >= WARM_UP_ROUNDS) timesByName.get(name)!.push(microseconds)
  }
}
socket.destroy()
await server.close(0)

const quantile = (sorted: readonly number[], share: number): number => sorted[Math.floor(sorted.length * share)]!
const SHARES = [0.1, 0.25, 0.5, 0.75]
const quantilesOf = (name: string): number[] => {
  const sorted = timesByName.get(name)!.sort((a, b) => a - b)
  return SHARES.map((share) => quantile(sorted, share))
}
const reference = quantilesOf('unknown')
console.log(`${SAMPLES} refusals of each kind; microseconds, and the ratio to a source that does not exist`)
console.log(['source'.padEnd(18), ...SHARES.map((share) => `p${share * 100}`.padStart(16))].join(''))
for (const name of names) {
  const cells = quantilesOf(name).map((value, at) => `${value.toFixed(1)} (${(value / reference[at]!).toFixed(3)})`)
  console.log([name.padEnd(18), ...cells.map((cell) => cell.padStart(16))].join(''))
}
