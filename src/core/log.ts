/** The methods of a pino logger that this program uses: an object of facts, then a sentence that explains them. */
export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}
