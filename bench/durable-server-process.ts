/** A bare HTTP server that answers after a durable put of the request, with the settings of the journal. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { serve } from '../dev/simulators/local-server.js'
import { workDirectory } from '../dev/work-directory.js'
import { serveParent } from './child.js'

const directory = mkdtempSync(join(await workDirectory('trial'), 'durable-'))
const database = open<string, number>({
  path: join(directory, 'lmdb'),
  overlappingSync: false,
  eventTurnBatching: false,
})
let next = 0
const server = await serve(
  async (request, response) => {
    const sequence = next
    next++
    await database.put(sequence, request.url ?? '')
    response.writeHead(200, { 'content-length': '0' }).end()
  },
  0,
  60_000,
)
serveParent(server.origin, async () => undefined)
