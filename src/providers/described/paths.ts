/** Splits a path of a description, such as `event.moText`, into its keys. */
export const keysOfPath = (path: string): string[] => (path === '' ? [] : path.split('.'))
