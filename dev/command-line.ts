import { parseArgs, type ParseArgsConfig } from 'node:util'

/**
 * Parses the arguments of a command for developers. Ends the process with the usage and code 0 for `--help`, and with one
 * sentence and code 2 if an argument is wrong.
 */
export function parseCommandLine<T extends ParseArgsConfig>(usage: string, config: T): ReturnType<typeof parseArgs<T>> {
  if (process.argv.slice(2).includes('--help')) {
    console.log(usage)
    process.exit(0)
  }
  try {
    return parseArgs(config)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}
