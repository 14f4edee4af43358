import { describe, expect, it } from 'vitest'
import { decodersOf, SourceFinder } from '../../src/app/source-finder.js'
import { load } from '../config/support.js'

const withSources = (sources: string) =>
  load(`kafka: {brokers: ['a:1']}\nregistry: {url: 'http://a'}\nsources: ${sources}`)

describe('SourceFinder', () => {
  it('finds a source that a reload has removed, and one whose provider it has changed, for the entries of before', () => {
    const finder = new SourceFinder(
      withSources(
        '{gone: {provider: seven, callback: {open: true}}, other: {provider: seven, callback: {open: true}}}',
      ),
    )
    finder.update(
      decodersOf(
        withSources(
          '{other: {provider: mtarget, callback: {open: true}}, new: {provider: seven, callback: {open: true}}}',
        ),
      ),
    )
    expect(finder.find('gone', 'seven')?.provider.name).toBe('seven')
    expect(finder.find('gone')).toBeUndefined()
    expect(finder.find('other', 'seven')?.provider.name).toBe('seven')
    expect(finder.find('other', 'mtarget')?.provider.name).toBe('mtarget')
    expect(finder.find('other')?.provider.name).toBe('mtarget')
    expect(finder.find('new', 'seven')?.provider.name).toBe('seven')
    expect(finder.find('never', 'seven')).toBeUndefined()
  })

  it('decodes later entries of a source by its new settings', () => {
    const finder = new SourceFinder(withSources('{a: {provider: seven, callback: {open: true}}}'))
    finder.update(
      decodersOf(withSources('{a: {provider: seven, callback: {open: true}, ignoreEvents: [voice_status]}}')),
    )
    expect(finder.find('a', 'seven')?.settings.ignoreEvents).toEqual(['voice_status'])
  })
})
