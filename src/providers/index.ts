/** All providers, by their names in the configuration. docs/add-a-provider.md says how to add one. */
import { mtarget } from './mtarget/index.js'
import type { Provider } from './provider.js'
import { seven } from './seven/index.js'

export const providers: ReadonlyMap<string, Provider> = new Map(
  [mtarget, seven].map((provider) => [provider.name, provider]),
)
