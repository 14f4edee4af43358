/** Lets the event loop turn until the condition holds, for conditions that no event reports. */
export const turnUntil = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
