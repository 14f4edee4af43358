import { describe, expect, it } from 'vitest'
import { hasBom, reader, utf8, windows1252 } from '../../../src/providers/wire/charset.js'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

describe('text is read from bytes without losing any', () => {
  it('reads UTF-8', () => expect(utf8(Buffer.from('déjà 😀'))).toBe('déjà 😀'))

  it('reads what is no UTF-8 as windows-1252', () => {
    expect(utf8(bytes(0x64, 0xe9, 0x6a, 0xe0, 0x20, 0x80, 0x92))).toBe('déjà €’')
  })

  it('gives every single byte a character of its own', () => {
    const all = new Set(Array.from({ length: 256 }, (_, byte) => windows1252(bytes(byte))))
    expect(all.size).toBe(256)
    expect([...all].every((character) => character.length === 1)).toBe(true)
  })

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
  ])('reads the two bytes of é under %s', (contentType, text) => {
    expect(reader(contentType)?.(bytes(0xc3, 0xa9))).toBe(text)
  })

  it('takes no character set in which a byte below 0x80 may be half of a character', () => {
    for (const charset of ['utf-16', 'utf-16be', 'shift_jis', 'gb18030', 'big5', 'iso-2022-jp']) {
      expect(reader(`text/plain; charset=${charset}`), charset).toBeUndefined()
    }
  })

  it('knows a byte order mark', () => {
    expect(hasBom(bytes(0xef, 0xbb, 0xbf, 0x7b))).toBe(true)
    expect(hasBom(bytes(0xef, 0xbb))).toBe(false)
  })
})
