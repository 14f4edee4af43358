#!/usr/bin/env node
/** Runs the command that the arguments name, and ends the process with its exit code. */
import { createCommandLine } from './commands/command-line.js'
import { printOutput, warn } from './commands/output.js'
import { onHangup, onTermination } from './commands/signals.js'
import { ConnectorError, messageOf } from './core/errors.js'

// Whatever this program creates, or Node.js for it, such as a heap snapshot, may hold phone numbers and texts.
process.umask(0o077)

// The modules of a command are imported when it runs: help and wrong arguments don't need them.
const commandLine = createCommandLine({
  run: async (options) => {
    // Before `run` listens for signals itself nothing is in custody, so the process may end at once.
    const stopListening = onTermination(() => process.exit(0))
    // Whoever asks for a reload while the process starts gets the configuration of that moment.
    onHangup(() => undefined)
    const { run } = await import('./commands/run.js')
    const running = run(options)
    stopListening()
    return running
  },
  check: async (options) => {
    const { check } = await import('./commands/check.js')
    return check(options)
  },
  tail: async (topic, options) => {
    const stopListening = onTermination(() => process.exit(0))
    const { tail } = await import('./commands/tail.js')
    const showing = tail(topic, options)
    stopListening()
    return showing
  },
  checkSchemas: async (options) => {
    const { checkSchemas } = await import('./commands/schemas.js')
    return checkSchemas(options)
  },
  registerSchemas: async (options) => {
    const { registerSchemas } = await import('./commands/schemas.js')
    return registerSchemas(options)
  },
  showJournalStatus: async (options) => {
    const { showJournalStatus } = await import('./commands/journal.js')
    return showJournalStatus(options)
  },
  listJournal: async (options) => {
    const { listJournal } = await import('./commands/journal.js')
    return listJournal(options)
  },
  exportJournal: async (options) => {
    const { exportJournal } = await import('./commands/journal-export.js')
    return exportJournal(options)
  },
  importJournal: async (file, options) => {
    const { importJournal } = await import('./commands/journal-import.js')
    return importJournal(file, options)
  },
  listDeadLetters: async (options) => {
    const { listDeadLetters } = await import('./commands/dead-letters.js')
    return listDeadLetters(options)
  },
  showDeadLetter: async (eventId, options) => {
    const { showDeadLetter } = await import('./commands/dead-letters.js')
    return showDeadLetter(eventId, options)
  },
  replayDeadLetters: async (options) => {
    const { replayDeadLetters } = await import('./commands/dead-letter-replay.js')
    return replayDeadLetters(options)
  },
  listProviders: async (options) => {
    const { listProviders } = await import('./commands/providers.js')
    return listProviders(options)
  },
  showProvider: async (name, options) => {
    const { showProvider } = await import('./commands/providers.js')
    return showProvider(name, options)
  },
  testProvider: async (file, options) => {
    const { testProvider } = await import('./commands/providers.js')
    return testProvider(file, options)
  },
  newProvider: async (name, options) => {
    const { newProvider } = await import('./commands/providers.js')
    return newProvider(name, options)
  },
})

try {
  // The process ends even if something is still open, for example a socket to a broker that does not answer.
  process.exit(await commandLine.execute(process.argv.slice(2)))
} catch (error) {
  printError(error)
  process.exit(error instanceof ConnectorError ? error.exitCode : 1)
}

/** Prints an error for people on standard error and, with --json, for programs on standard output. */
function printError(error: unknown): void {
  warn(messageOf(error))
  if (!commandLine.isJsonRequested) return
  const code = error instanceof ConnectorError ? error.code : 'UNEXPECTED'
  // Nothing waits for a reader that takes nothing.
  void printOutput(`${JSON.stringify({ ok: false, error: { code, message: messageOf(error) } })}\n`)
}
