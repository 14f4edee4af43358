/** A process that reads a journal and prints the number of its entries, or the code and the message of the error. */
import { ConnectorError } from '../../../src/core/errors.js'
import { JournalReader } from '../../../src/journal/journal-reader.js'

const [directory = ''] = process.argv.slice(2)
try {
  const reader = JournalReader.open(directory)
  process.stdout.write(`${[...reader.entries()].length}\n`)
  reader.close()
} catch (error) {
  if (!(error instanceof ConnectorError)) throw error
  process.stdout.write(`${error.code} ${error.message}\n`)
}
