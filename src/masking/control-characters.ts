/** Characters that change what a terminal shows: controls, separators of lines, and changes of the writing direction. */
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Replaces characters that change what a terminal shows by their escapes, such as `\u001b`. */
export const escapeControls = (text: string): string => text.replace(CONTROLS, escapeCharacter)

/** The same for a text of several lines, whose line breaks stay. */
export const escapeControlsInLines = (text: string): string =>
  text.replace(CONTROLS, (character) => (character === '\n' ? character : escapeCharacter(character)))

const escapeCharacter = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
