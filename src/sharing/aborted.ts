/** The outcome of this, or `'aborted'` as soon as the signal aborts, whatever comes of it then. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | 'aborted'> {
  let end = (): void => undefined
  const aborted = new Promise<'aborted'>((resolve) => {
    end = () => resolve('aborted')
    if (signal.aborted) end()
    else signal.addEventListener('abort', end)
  })
  promise.catch(() => undefined)
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', end)
  }
}

export const untilAborted = (signal: AbortSignal): Promise<'aborted'> =>
  orAborted(new Promise<never>(() => undefined), signal)
