import { describe, expect, it } from 'vitest'
import { formatProfile } from '../../bench/profile.js'

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 6 })

/** (root) -> publish -> kafkajs -> write, and idling. */
const profile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 5, 6, 7] },
    { id: 2, callFrame: frame('publish', 'dist/kafka/publisher.js'), children: [3] },
    { id: 3, callFrame: frame('send', 'node_modules/kafkajs/src/network/socket.js'), children: [4] },
    { id: 4, callFrame: frame('writeBuffer') },
    { id: 5, callFrame: frame('(idle)') },
    { id: 6, callFrame: frame('onread', 'node:net') },
    { id: 7, callFrame: frame('signal', 'bench/preload/profile.mjs') },
  ],
  samples: [2, 3, 4, 5, 6, 7],
  timeDeltas: [100_000, 100_000, 200_000, 1_000_000, 100_000, 9_000_000],
}

describe('The summary of a profile', () => {
  const text = formatProfile(profile)

  it('counts a native function for the nearest package that calls it', () => {
    expect(text).toContain('| kafkajs | 60.0 % |')
  })

  it('counts a function alone, with the line that it begins at', () => {
    expect(text).toContain('| send, kafkajs/src/network/socket.js:7 | 20.0 % |')
  })

  it('names rooms of the source, and what belongs to none', () => {
    expect(text).toContain('| src/kafka | 20.0 % |')
    expect(text).toContain('| Node.js itself | 20.0 % |')
  })

  it('leaves out idle time and the profiler', () => {
    expect(text).toContain('The main thread was busy for 0.5 of 1.5 seconds.')
    expect(text).not.toContain('signal')
  })
})
