/** Every provider there is, by its name in the configuration. See docs/add-a-provider.md. */
import { mtarget } from './mtarget/index.js'
import type { Provider } from './provider.js'
import { seven } from './seven/index.js'

export const providers: ReadonlyMap<string, Provider> = new Map([mtarget, seven].map((p) => [p.name, p]))
