import type { Random } from './random.js'

/** Answers to an SMS, and texts that break software which reads them. */
const TEXTS: readonly string[] = [
  'STOP',
  'STOP',
  'Oui',
  'ok merci',
  'Bonjour, votre colis est bien arrivé à Besançon, çà va être parfait !',
  'J’arrive 🚕 dans 5 min 👨‍👩‍👧‍👦❤️',
  '🇫🇷🏳️‍🌈👍🏽',
  'She said "yes", he said \'no\', and \\both\\ meant </maybe>; {"a":[1]} & 100% sure?',
  'first line\nsecond line\r\nthird line\ttabbed',
  'GSM-7 extras: €[]{}|~^\\ £¥èéùìòÇØøÅå ΔΦΓΛΩΠΨΣΘΞ ÆæßÉ ¤¡ÄÖÑܧ¿äöñüà',
  'مرحبا، أريد إلغاء الاشتراك',
  '您好,我想取消订阅',
  'e\u0301 as two code points, é as one',
  'line\u2028separator and\u00a0no-break space',
  '  spaces around  ',
  '0012',
  'null',
  'a=1&b=2+3%20%',
  '',
]

/** Returns a text. About one in fifty is 1,500 characters long. */
export function randomText(random: Random): string {
  if (random.chance(0.02)) return longText(random, 1_500)
  return random.pick(TEXTS)
}

/** Returns a text of exactly `length` UTF-16 units, with an emoji at its end. */
export function longText(random: Random, length: number): string {
  let result = ''
  while (result.length < length) {
    result += `${random.pick(TEXTS)} `
  }
  let cut = result.slice(0, length - 2)
  // Half of a surrogate pair is not a valid text.
  if (/[\ud800-\udbff]$/.test(cut)) cut = `${cut.slice(0, -1)}.`
  return `${cut}🙂`
}
