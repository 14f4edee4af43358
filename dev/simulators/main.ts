/** `npm run simulate -- mtarget|seven [--port N] …`: a simulated provider for a connector, which needs no account. */
import { parseCommandLine } from '../command-line.js'
import { MtargetSimulator } from './mtarget.js'
import { SevenSimulator } from './seven.js'

const USAGE = `npm run simulate -- mtarget [--port N] [--username demo] [--password secret] [--every 1000 --rows 10]
npm run simulate -- seven   [--port N] [--api-key demo-key] [--callback URL --every 1000 --rows 10]

--every MS --rows N  adds N new items to the queue, or sends N callbacks, every MS milliseconds
Both accept POST /_control with JSON, for example
  mtarget: {"receipts": 1000, "messages": 100}   {"messagesWithoutStatus": 100, "longMessages": 10}
           {"fault": {"status": 503}, "times": 3}   {"fault": {"latencyMs": 2000}}
  seven:   {"callbacks": {"url": "http://127.0.0.1:8080/callbacks/seven-main/TOKEN", "receipts": 100, "messages": 10}}
           {"statuses": {"77123": "DELIVERED"}}   {"refuse": {"times": 2, "retryAfter": 1}}
and answer GET /_control with the counts so far.`

const { values, positionals } = parseCommandLine(USAGE, {
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '0' },
    username: { type: 'string', default: 'demo' },
    password: { type: 'string', default: 'secret' },
    'api-key': { type: 'string', default: 'demo-key' },
    callback: { type: 'string' },
    every: { type: 'string' },
    rows: { type: 'string', default: '10' },
  },
})
const provider = positionals[0]
if (provider !== 'mtarget' && provider !== 'seven') {
  console.error(USAGE)
  process.exit(2)
}

const port = Number(values.port)
let controlUrl: string
if (provider === 'mtarget') {
  const simulator = await MtargetSimulator.start({ port, username: values.username, password: values.password })
  console.log(`Mtarget: POST ${simulator.url} (username ${values.username}, password ${values.password})`)
  controlUrl = new URL('/_control', simulator.url).href
} else {
  const simulator = await SevenSimulator.start({ port, apiKey: values['api-key'] })
  console.log(`seven: ${simulator.url} (X-Api-Key ${values['api-key']})`)
  controlUrl = new URL('/_control', simulator.url).href
}
console.log(`control: ${controlUrl}`)

if (values.every !== undefined) {
  const rows = Number(values.rows)
  const messages = Math.floor(rows / 5)
  const batch = { receipts: rows - messages, messages }
  const body = JSON.stringify(provider === 'mtarget' ? batch : { callbacks: { url: values.callback, ...batch } })
  setInterval(() => {
    fetch(controlUrl, { method: 'POST', body })
      .then((answer) => answer.text())
      .then((text) => console.log(text))
      .catch((error: unknown) => console.error(String(error)))
  }, Number(values.every))
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0))
