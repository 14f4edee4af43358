import type { ErrorCode } from 'yaml'

/** Explanations of the parser's error codes. The parser's own messages quote the file, and may show a password. */
const EXPLANATIONS: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins an escape that YAML does not know; use single quotes',
  BAD_INDENT: 'the indentation of this line matches no line above it, or a bracket or brace above it is not closed',
  BAD_SCALAR_START: 'a value may not begin with this character; quote the value',
  BLOCK_AS_IMPLICIT_KEY: 'a second "key: value" on one line; quote a value that contains ": "',
  BLOCK_IN_FLOW: 'lines of "key: value" or "- item" are not allowed inside {…} and […]',
  DUPLICATE_KEY: 'this key appears twice; remove one of them',
  MISSING_CHAR: 'a closing quote, bracket, brace, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key extends over several lines; a ":" or a quote may be missing',
  MULTIPLE_DOCS: 'a second YAML document begins here; only one is allowed',
  NON_STRING_KEY: 'a key must be plain text',
  TAB_AS_INDENT: 'a tab is used for indentation; YAML allows spaces only',
  TAG_RESOLVE_FAILED: 'tags such as !!int are not supported; write the value without a tag',
  UNEXPECTED_TOKEN: 'YAML does not allow this here; a quote, bracket or line break may be missing',
}

export const describeSyntaxError = (code: ErrorCode): string =>
  EXPLANATIONS[code] ?? `this is not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`
