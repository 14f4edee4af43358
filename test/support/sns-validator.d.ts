/** AWS's validator of messages of SNS has no types of its own. */
declare module 'sns-validator' {
  export default class MessageValidator {
    constructor(hostPattern?: RegExp, encoding?: string)
    validate(message: object, callback: (error: Error | null, message?: object) => void): void
  }
}
