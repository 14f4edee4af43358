import type { ErrorCode } from 'yaml'

/**
 * What a YAML parser's error means, in our words: the parser's own messages quote the text that they stumbled over,
 * and that may be a password.
 */
const SENTENCES: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins an escape that YAML does not know; use single quotes',
  BAD_INDENT: 'this line is indented in a way that fits no line above it, or a bracket or brace above it is not closed',
  BAD_SCALAR_START: 'a value may not begin with this character; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second "key: value" on one line; put a value that holds ": " in quotes',
  BLOCK_IN_FLOW: 'lines of "key: value" or "- item" can\'t stand inside {…} or […]',
  DUPLICATE_KEY: 'this key stands here twice; leave one of them',
  MISSING_CHAR: 'a closing quote, bracket, brace, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key reaches over several lines; is a ":" or a quote missing?',
  MULTIPLE_DOCS: 'a second YAML document begins here; only one is read',
  NON_STRING_KEY: 'a key must be plain text',
  TAB_AS_INDENT: 'indentation by tab; YAML allows blanks only',
  TAG_RESOLVE_FAILED: 'tags such as !!int are not supported; write the value alone',
  UNEXPECTED_TOKEN: 'YAML does not allow this here; is a quote, bracket or line break missing?',
}

export const formatSyntaxError = (code: ErrorCode): string =>
  SENTENCES[code] ?? `this is not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`
