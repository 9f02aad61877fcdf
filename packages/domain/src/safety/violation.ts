/** The properties of `docs/safety.md`, and what it looks like when a row breaks one. */
export const PROPERTIES = [
  'S1',
  'S2',
  'S3',
  'S4',
  'S5',
  'S6',
  'S7',
  'S8',
  'S9',
  'S10',
  'S11',
  'S12',
  'S13',
  'S14',
  'S15',
  'S16',
  'S17',
  'S18',
  'S19',
  'L1',
  'L2',
  'L3',
  'L4',
  'L5',
  'L6',
  'L7',
  'L8',
] as const;
export type Property = (typeof PROPERTIES)[number];

/** `S1.exclusive`: a property, and what of it can be seen in stored rows. The SQL of the same rule has the same name. */
export type RuleName = `${Property}.${string}`;

export interface Violation {
  readonly property: Property;
  readonly rule: RuleName;
  /** Id of the promotion, operation, lock or gate run, or the name of what it is about. */
  readonly subject: string;
  readonly message: string;
}

/** `S10.verified` → `S10`. */
export function propertyOf(rule: RuleName): Property {
  const found = PROPERTIES.find((one) => rule.startsWith(`${one}.`));
  if (!found) throw new RangeError(`"${rule}" names no property`);
  return found;
}
