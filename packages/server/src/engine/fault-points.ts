/** Where a crash test may end the process: each is a place after which work would be lost or repeated if we were wrong. */
export const ENGINE_FAULT_POINTS = [
  'engine.claimed',
  'engine.before_tick',
  'engine.after_tick',
  'engine.before_effect',
  'engine.after_effect',
] as const;
export type EngineFaultPoint = (typeof ENGINE_FAULT_POINTS)[number];
