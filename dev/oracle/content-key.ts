/** Fields of seven's webhooks that describe the callback instead of the item. */
const ENVELOPE_FIELDS = new Set(['webhook_event', 'webhook_timestamp', 'timestamp'])

/**
 * The content of an item as one string: all its fields in the order of their names, without the fields of the envelope.
 * `data[id]` and `id` are the same field in two of seven's forms.
 */
export function contentKey(fields: Readonly<Record<string, string>>): string {
  const itemFields = Object.entries(fields)
    .map(([name, value]): [string, string] => [/^data\[(.+)\]$/.exec(name)?.[1] ?? name, value])
    .filter(([name]) => !ENVELOPE_FIELDS.has(name))
    .sort(([one], [other]) => (one < other ? -1 : 1))
  return JSON.stringify(itemFields)
}
