import { describe, expect, it } from 'vitest'
import { readUtf8, readWindows1252, textReader, withoutByteOrderMark } from '../../../src/providers/wire/charset.js'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

describe('readUtf8', () => {
  it('reads UTF-8', () => expect(readUtf8(Buffer.from('déjà 😀'))).toBe('déjà 😀'))

  it('reads bytes that are not valid UTF-8 as windows-1252', () => {
    expect(readUtf8(bytes(0x64, 0xe9, 0x6a, 0xe0, 0x20, 0x80, 0x92))).toBe('déjà €’')
  })
})

describe('readWindows1252', () => {
  it('reads a different character from each of the 256 bytes', () => {
    const all = new Set(Array.from({ length: 256 }, (_, byte) => readWindows1252(bytes(byte))))
    expect(all.size).toBe(256)
    expect([...all].every((character) => character.length === 1)).toBe(true)
  })
})

describe('textReader', () => {
  it.each([
    [undefined, 'é'],
    ['application/json', 'é'],
    ['application/json; charset=utf-8', 'é'],
    ['application/json; charset=UTF8', 'é'],
    ['text/plain;charset="iso-8859-1"', 'Ã©'],
    ['text/plain; charset=Windows-1252', 'Ã©'],
    ['text/plain; charset=iso-8859-15', 'Ã©'],
    ['text/plain; charset=koi8-r', 'ц╘'],
    ['text/plain; charset=martian', 'é'],
  ])('reads the bytes of é in UTF-8 by the content type %s', (contentType, text) => {
    expect(textReader(contentType)?.(bytes(0xc3, 0xa9))).toBe(text)
  })

  it('refuses a character set in which a byte below 0x80 may be part of another character', () => {
    for (const charset of ['utf-16', 'utf-16be', 'shift_jis', 'gb18030', 'big5', 'iso-2022-jp']) {
      expect(textReader(`text/plain; charset=${charset}`), charset).toBeUndefined()
    }
  })
})

describe('withoutByteOrderMark', () => {
  it('returns the bytes behind a byte order mark, and undefined if there is none', () => {
    expect(withoutByteOrderMark(bytes(0xef, 0xbb, 0xbf, 0x7b))).toEqual(bytes(0x7b))
    expect(withoutByteOrderMark(bytes(0xef, 0xbb))).toBeUndefined()
  })
})
