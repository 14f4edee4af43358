import { providers } from '../../src/providers/index.js'
import { describeProvider, loadFixtures } from './provider-contract.js'

for (const [name, provider] of providers) describeProvider(name, provider, loadFixtures(name))
